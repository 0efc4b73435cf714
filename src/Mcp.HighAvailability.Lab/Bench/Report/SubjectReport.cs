namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>What one subject has shown.</summary>
/// <param name="Key">Its letter.</param>
/// <param name="Title">What it is.</param>
/// <param name="Connections">Its figures by number of connections.</param>
internal sealed record SubjectReport(string Key, string Title, IReadOnlyDictionary<int, LoadReport> Connections);

/// <summary>Figures of <c>echo</c> under one load: medians, and the turns that they come from.</summary>
internal sealed record LoadReport(IReadOnlyList<Turn> Turns)
{
    public Turn Median { get; } = new()
    {
        CallsPerSecond = Figures.Median(Turns.Select(turn => turn.CallsPerSecond)),
        P50Milliseconds = Figures.Median(Turns.Select(turn => turn.P50Milliseconds)),
        P99Milliseconds = Figures.Median(Turns.Select(turn => turn.P99Milliseconds)),
        ServerMicrosecondsPerCall = Figures.Median(Turns.Select(turn => turn.ServerMicrosecondsPerCall)),
        ProxyMicrosecondsPerCall = Figures.Median(Turns.Select(turn => turn.ProxyMicrosecondsPerCall)),
        RedisMicrosecondsPerCall = Figures.Median(Turns.Select(turn => turn.RedisMicrosecondsPerCall)),
        ScriptsPerCall = Figures.Median(Turns.Select(turn => turn.ScriptsPerCall)),
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

    /// <summary>Scripts that Redis has run: commits.</summary>
    public double ScriptsPerCall { get; init; }

    /// <summary>Managed memory that the servers have allocated.</summary>
    public double ServerBytesPerCall { get; init; }

    public double LoadGeneratorMicrosecondsPerCall { get; init; }

    /// <summary>Processors that strangers kept busy meanwhile: how loaded the machine was.</summary>
    public double OtherCores { get; init; }
}
