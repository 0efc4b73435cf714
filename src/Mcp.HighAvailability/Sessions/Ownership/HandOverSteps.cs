namespace Mcp.HighAvailability.Sessions;

/// <summary>Steps by which a session leaves this replica.</summary>
internal static class HandOverSteps
{
    /// <summary>A call has ended: a session that is to drain between two calls does it now.</summary>
    public static void NoteEnd(SessionCore core)
    {
        if (core.Admission.DrainsWhenQuiet && core.IsActive && !core.Calls.AnyRunning)
            core.Admission.DrainedQuiet = core.TryBecome(SessionPhase.Draining);
    }

    /// <summary>Has the session drain in the moment in which it has no call in flight, now or later.</summary>
    public static bool DrainWhenQuiet(SessionCore core)
    {
        if (!core.IsActive)
            return false;
        core.Admission.DrainsWhenQuiet = true;
        NoteEnd(core);
        return true;
    }

    /// <summary>Ends what <see cref="DrainWhenQuiet"/> has begun. Returns whether the session drains by it.</summary>
    public static bool StopDraining(SessionCore core)
    {
        core.Admission.DrainsWhenQuiet = false;
        return core.Admission.DrainedQuiet;
    }

    /// <summary>Drains now.</summary>
    /// <param name="core">The session.</param>
    /// <param name="evenWithCalls">Also when calls are in flight; otherwise such a session stays.</param>
    public static DrainOutcome Drain(SessionCore core, bool evenWithCalls)
    {
        if (!core.IsActive)
            return DrainOutcome.Leaves;
        if (core.Calls.AnyRunning && !evenWithCalls)
            return DrainOutcome.Busy;
        core.TryBecome(SessionPhase.Draining);
        return DrainOutcome.Drains;
    }

    /// <summary>Drains a session that was not used for so long, to end it.</summary>
    public static bool DrainIdle(SessionCore core, bool idle) =>
        idle && core.IsActive && !core.Calls.AnyRunning && !core.GetStreams.HasReader && core.TryBecome(SessionPhase.Draining);

    /// <summary>Ends the copy here. <see langword="null"/>: it has ended before.</summary>
    public static Leavings? Leave(SessionCore core, SessionPhase end)
    {
        if (!core.TryBecome(end) && !core.TryBecome(SessionPhase.Fenced))
            return null;
        OpenCall[] calls = [.. core.Calls.Open];
        core.Calls.Leave();

        // Also those that wait for a commit that will not be shown: their call may be in no table any more.
        return new([.. core.GetStreams.Known, .. calls.Select(static call => call.Stream), .. core.Commits.Unshown], calls);
    }
}

/// <summary>Outcome of <see cref="HandOverSteps.Drain"/>.</summary>
internal enum DrainOutcome
{
    /// <summary>The session drains by this step: the caller gives it up.</summary>
    Drains,

    /// <summary>Calls are in flight: it stays.</summary>
    Busy,

    /// <summary>The session drains already, or has left.</summary>
    Leaves,
}

/// <summary>Connections of a released session that remain to be cut.</summary>
internal sealed record Leavings(IReadOnlyList<EventStream> Streams, IReadOnlyList<OpenCall> Calls);
