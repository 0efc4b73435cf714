using Mcp.HighAvailability.Lab.Bench.Load;

namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>Figures of one subject.</summary>
/// <param name="Key">Its name.</param>
/// <param name="Title">What it is.</param>
/// <param name="Loads">Its figures by load.</param>
internal sealed record SubjectReport(string Key, string Title, IReadOnlyList<LoadReport> Loads)
{
    public LoadReport? Of(CallKind kind, int connections) => Loads.FirstOrDefault(load => load.Kind == kind && load.Connections == connections);
}

/// <summary>Figures of one load: medians, and the turns that they come from.</summary>
internal sealed record LoadReport(CallKind Kind, int Connections, IReadOnlyList<Turn> Turns)
{
    public Turn Median { get; } = new()
    {
        CallsPerSecond = Figures.Median(Turns.Select(turn => turn.CallsPerSecond)),
        P50Milliseconds = Figures.Median(Turns.Select(turn => turn.P50Milliseconds)),
        P99Milliseconds = Figures.Median(Turns.Select(turn => turn.P99Milliseconds)),
        ServerMicrosecondsPerCall = Figures.Median(Turns.Select(turn => turn.ServerMicrosecondsPerCall)),
        ProxyMicrosecondsPerCall = Figures.Median(Turns.Select(turn => turn.ProxyMicrosecondsPerCall)),
        RedisMicrosecondsPerCall = Figures.Median(Turns.Select(turn => turn.RedisMicrosecondsPerCall)),
        StoreCommandsPerCall = Figures.Median(Turns.Select(turn => turn.StoreCommandsPerCall)),
        ServerBytesPerCall = Figures.Median(Turns.Select(turn => turn.ServerBytesPerCall)),
        LoadGeneratorMicrosecondsPerCall = Figures.Median(Turns.Select(turn => turn.LoadGeneratorMicrosecondsPerCall)),
        OtherCores = Figures.Median(Turns.Select(turn => turn.OtherCores)),
    };
}

/// <summary>One turn of one subject.</summary>
internal sealed record Turn
{
    public double CallsPerSecond { get; init; }

    public double P50Milliseconds { get; init; }

    public double P99Milliseconds { get; init; }

    /// <summary>Processor time of all server processes together.</summary>
    public double ServerMicrosecondsPerCall { get; init; }

    public double ProxyMicrosecondsPerCall { get; init; }

    public double RedisMicrosecondsPerCall { get; init; }

    /// <summary>Commands that Redis has run, those inside scripts included.</summary>
    public double StoreCommandsPerCall { get; init; }

    /// <summary>Managed memory that the servers have allocated.</summary>
    public double ServerBytesPerCall { get; init; }

    public double LoadGeneratorMicrosecondsPerCall { get; init; }

    /// <summary>Processors that other programs kept busy meanwhile: how loaded the machine was.</summary>
    public double OtherCores { get; init; }
}
