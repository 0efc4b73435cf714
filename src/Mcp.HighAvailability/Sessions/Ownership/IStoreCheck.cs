using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Checks that the store has what this replica owns, besides sessions, and writes back what the store has lost.</summary>
internal interface IStoreCheck
{
    /// <summary>When it returns, the store has all of it, or says that another replica owns it.</summary>
    /// <exception cref="StoreUnavailableException">The store is away.</exception>
    Task CheckAsync();
}
