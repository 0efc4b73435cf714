using System.Text.RegularExpressions;

namespace Mcp.HighAvailability.Lab.Chaos.History;

/// <summary>Expected answer of a call.</summary>
/// <param name="MayRunAgain">Whether its tool may be run again: then "may have run" is an answer only after several losses.</param>
/// <param name="RunsLike">About how long it takes when nothing is wrong.</param>
internal sealed record Expectation(bool MayRunAgain, TimeSpan RunsLike)
{
    /// <summary>The exact text of the answer.</summary>
    public string? Text { get; init; }

    /// <summary>A pattern that the text of the answer matches.</summary>
    public Regex? Pattern { get; init; }

    /// <summary>How many progress notifications it sends, numbered from 1.</summary>
    public int? Steps { get; init; }

    /// <summary>Time between two of them.</summary>
    public TimeSpan StepInterval { get; init; }

    /// <summary>The question that it asks the client, by content.</summary>
    public string? Question { get; init; }

    /// <summary>The mark that each run of it leaves in the delivery log, where there must be only one.</summary>
    public string? Parcel { get; init; }

    /// <summary>A note that it adds, or a count, in the session's state or behind <see cref="Handle"/>.</summary>
    public Effect Effect { get; init; }

    /// <summary>The note.</summary>
    public string? Note { get; init; }

    /// <summary>The shared notebook or counter that it uses; <see langword="null"/>: the session's own.</summary>
    public string? Handle { get; init; }

    /// <summary>Whether it answers with the epoch of the session's owner, which never falls.</summary>
    public bool TellsEpoch { get; init; }

    /// <summary>The announcement that it makes to all sessions.</summary>
    public string? Announcement { get; init; }
}

/// <summary>Effect of a call on state.</summary>
internal enum Effect
{
    /// <summary>The call changes and reads no state.</summary>
    None,

    /// <summary>The call adds a note and returns all.</summary>
    AddsNote,

    /// <summary>The call returns all notes.</summary>
    ReadsNotes,

    /// <summary>The call counts and returns the value.</summary>
    Counts,
}
