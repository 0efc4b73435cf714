namespace McpHa.HighAvailability.Http;

/// <summary>An open response that gives a sign of life when it is asked to, and has nothing else to say.</summary>
internal interface IKeptAlive
{
    /// <summary>Never waits.</summary>
    void KeepAlive();
}
