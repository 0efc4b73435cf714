using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Relay;

/// <summary>Logs and counts how exchanges ended. Only what a client gets counts: another relay asks elsewhere. One answer counts in one metric.</summary>
internal static partial class RelayReport
{
    /// <summary>An attempt at a replica has failed.</summary>
    public static void Failed(Relay relay, RelayFailure failure)
    {
        relay.Metrics.Failed(RelayTrace.Text(failure.Kind));
        LogFailed(relay.Logger, failure.Target.ReplicaId, failure.Kind);
    }

    /// <summary>The exchange may have run and must not be sent again, or it has lost too many replicas.</summary>
    /// <param name="relay">The relay.</param>
    /// <param name="exchange">The exchange.</param>
    /// <param name="error">The error that the client gets.</param>
    /// <param name="begunAt">Replicas at which the exchange may have begun: one at least.</param>
    public static void Ended(Relay relay, RelayExchange exchange, RelayError error, IReadOnlyList<string> begunAt)
    {
        if (error == RelayError.MayHaveRun)
        {
            relay.Metrics.Refused();
            relay.LostRequests.Add(begunAt[^1], 1);
            return;
        }

        relay.Metrics.Abandoned(exchange.CallName);
        LogAbandoned(relay.Logger, exchange.CallName, begunAt.Count);
    }

    /// <summary>No replica could serve the exchange in time.</summary>
    /// <param name="relay">The relay.</param>
    /// <param name="exchange">The exchange.</param>
    /// <param name="error">The error that the client gets; <see langword="null"/>: its stream breaks off.</param>
    public static void GivenUp(Relay relay, RelayExchange exchange, RelayError? error)
    {
        if (exchange.ForRelay)
            return;
        LogGivenUp(relay.Logger, exchange.HoldTime);
        if (error == RelayError.MayHaveRun)
            relay.Metrics.Refused();
        else
            relay.Metrics.GivenUp();
    }

    /// <summary>An answer is larger than allowed.</summary>
    public static void TooLarge(Relay relay, string reason) => LogTooLarge(relay.Logger, reason);

    [LoggerMessage(Level = LogLevel.Debug, Message = "An attempt at replica {ReplicaId} ended with {Kind}.")]
    private static partial void LogFailed(ILogger logger, string replicaId, RelayFailureKind kind);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "No replica could serve a request within {HoldTime}. The client got an error. Check that replicas are alive and reachable.")]
    private static partial void LogGivenUp(ILogger logger, TimeSpan holdTime);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "'{Call}' ended with an error and is not sent again. Replicas lost while they ran it: {Losses}. Find out in their logs why they ended.")]
    private static partial void LogAbandoned(ILogger logger, string call, int losses);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "An answer was not passed on. {Reason} Raise Relay:MaxMessageBytes of balancers and replicas, or let the tool return less.")]
    private static partial void LogTooLarge(ILogger logger, string reason);
}
