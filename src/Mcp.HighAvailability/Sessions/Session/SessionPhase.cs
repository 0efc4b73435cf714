namespace Mcp.HighAvailability.Sessions;

/// <summary>Where a session stands in this replica.</summary>
internal enum SessionPhase
{
    /// <summary>Serves clients.</summary>
    Active,

    /// <summary>Takes nothing new. Writes what is left.</summary>
    Draining,

    /// <summary>The store has no owner for it: any replica may take it. Connections stay open until one has. Writes nothing.</summary>
    Released,

    /// <summary>Another replica owns it, or the copy here has failed. Not a byte more is sent or written.</summary>
    Fenced,

    /// <summary>The copy here has ended in good order: the session was deleted, has expired or was handed over.</summary>
    Ended,
}

/// <summary>The transition table of <see cref="SessionPhase"/>.</summary>
internal static class SessionPhases
{
    // The index is the present phase.
    private static readonly SessionPhase[][] Next =
    [
        [SessionPhase.Draining, SessionPhase.Fenced],
        [SessionPhase.Released, SessionPhase.Fenced, SessionPhase.Ended],
        [SessionPhase.Fenced, SessionPhase.Ended],
        [],
        [],
    ];

    public static bool MayBecome(this SessionPhase from, SessionPhase to) => Array.IndexOf(Next[(int)from], to) >= 0;

    /// <summary>Whether this replica has nothing more to do with the session.</summary>
    public static bool IsOver(this SessionPhase phase) => phase >= SessionPhase.Fenced;

    /// <summary>Whether the session may still write.</summary>
    public static bool Writes(this SessionPhase phase) => phase <= SessionPhase.Draining;
}
