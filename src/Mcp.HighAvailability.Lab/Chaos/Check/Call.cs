using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check;

/// <summary>The events of one call.</summary>
internal sealed class Call(CallBegun begun)
{
    public CallBegun Begun => begun;

    public long Number => begun.Call;

    public string Session => begun.Session;

    public string Tool => begun.Tool;

    public Expectation Expected => begun.Expected;

    public TimeSpan Begin => begun.At;

    public List<CallEnded> Ends { get; } = [];

    public List<ProgressReceived> Progress { get; } = [];

    public List<AnswerReceived> Answers { get; } = [];

    public CallCancelled? Cancelled { get; set; }

    /// <summary>How it ended; <see langword="null"/>: not at all.</summary>
    public CallOutcome? Outcome => Ends.Count > 0 ? Ends[0].Outcome : null;

    /// <summary>When it ended.</summary>
    public TimeSpan? End => Ends.Count > 0 ? Ends[0].At : null;

    /// <summary>Whether the server has said that it is done: what it did is then there, once. Of any other call it may be there, once.</summary>
    public bool IsAcknowledged => Outcome?.IsAcknowledged == true;

    /// <summary>When it was acknowledged; the end of time when it was not.</summary>
    public TimeSpan Acknowledged => IsAcknowledged ? Ends[0].At : TimeSpan.MaxValue;

    public override string ToString() => $"call {Number} ({Tool})";
}
