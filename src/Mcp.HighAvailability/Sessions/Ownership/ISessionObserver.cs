namespace Mcp.HighAvailability.Sessions;

/// <summary>Hears which sessions this replica serves. Called on any thread; must not block.</summary>
internal interface ISessionObserver
{
    /// <summary>A session is served here from now on: it was opened, or taken over.</summary>
    void Began(LiveSession session);

    /// <summary>This copy of a session is served here no longer.</summary>
    void Left(LiveSession session);
}
