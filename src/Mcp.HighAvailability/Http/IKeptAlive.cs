namespace Mcp.HighAvailability.Http;

/// <summary>An open response on which keep-alives are sent.</summary>
internal interface IKeptAlive
{
    /// <summary>Whether only the owner of a session may write on it.</summary>
    bool NeedsOwner { get; }

    /// <summary>Sends a keep-alive. Never waits.</summary>
    void KeepAlive();
}
