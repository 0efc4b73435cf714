using System.Text;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay.Upstream;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Relay;

/// <summary>Writes a request to a replica and reads the head of its response.</summary>
internal static class RelayRequest
{
    /// <summary>Writes the head of a request.</summary>
    /// <param name="call">Where it goes.</param>
    /// <param name="context">The client's request.</param>
    /// <param name="exchange">The exchange.</param>
    /// <param name="target">The replica.</param>
    /// <param name="hopKey">The replica's key, if it has one.</param>
    /// <param name="machine">The state of the exchange.</param>
    /// <param name="resumes">Ask for what follows the cursor, instead of sending the request.</param>
    /// <param name="traceParent">The span of the attempt; <see langword="null"/>: the client's header is passed on.</param>
    public static void Write(
        ReplicaCall call, HttpContext context, RelayExchange exchange, RelayTarget target, string? hopKey, RelayMachine machine, bool resumes,
            string? traceParent)
    {
        var method = resumes ? HttpMethod.Get : exchange.Method;
        call.Begin(method, exchange.PathAndQuery);
        RelayHeaders.CopyToReplica(context.Request.Headers, call, resumes, exceptTraceParent: traceParent is not null);
        ForwardedClient.Write(context, call);
        call.AddHeader(HaHeaders.Relay, "1");
        if (hopKey is { Length: > 0 })
            call.AddHeader(HaHeaders.Key, hopKey);
        if (traceParent is not null)
            call.AddHeader(RelayHeaders.TraceParent, traceParent);
        if (method == HttpMethod.Post)
            call.AddHeader(HaHeaders.Exchange, ClientExchange.Of(context).Id.ToString());
        if (method == HttpMethod.Post && machine.BegunAt.Count > 0)
            call.AddHeader(HaHeaders.Begun, string.Join(',', machine.BegunAt));
        if (target.Hop)
            call.AddHeader(HaHeaders.Hop, target.ReplicaId);
        if (machine.Silent is { } silent && silent != target.ReplicaId)
            call.AddHeader(HaHeaders.Silent, silent);
        if (exchange.Listens && machine.Passed)
            call.AddHeader(HaHeaders.Again, "1");
        if (resumes)
            WriteResume(call, context, machine);
    }

    /// <summary>Reads the head of a response.</summary>
    public static RelayHead HeadOf(ReplicaCall call)
    {
        var isRefusal = call.Status == StatusCodes.Status503ServiceUnavailable && call.Header(HaHeaders.Transient) is not null;
        return new(
            call.Status, call.IsEventStream, call.Header(HaHeaders.Owner), call.Header(RelayHeaders.SessionId), call.Header(HaHeaders.Cursor),
            isRefusal, isRefusal ? call.Header(HaHeaders.Begun) : null);
    }

    private static void WriteResume(ReplicaCall call, HttpContext context, RelayMachine machine)
    {
        call.AddHeader("Accept", "text/event-stream");
        call.AddHeader(RelayHeaders.LastEventId, Encoding.UTF8.GetString(machine.Cursor));
        if (context.Request.Headers[RelayHeaders.SessionId].ToString() is { Length: > 0 } known)
            call.AddHeader(RelayHeaders.SessionId, known);
        else if (machine.SessionId is { } named)
            call.AddHeader(RelayHeaders.SessionId, named);
    }
}
