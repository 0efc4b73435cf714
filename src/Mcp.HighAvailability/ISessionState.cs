using ModelContextProtocol;

namespace Mcp.HighAvailability;

/// <summary>Values by key, JSON, that survive the loss of a replica.</summary>
/// <remarks>
/// Writes made during a call become visible to others, and durable, together with the call's response: a call that only touches
/// state takes effect exactly once, however often it is run. A call that fails (throws, or returns an error result) leaves the
/// state as it was. Calls that touch the same state run one after the other from their first touch on.
/// </remarks>
public interface IStateBag
{
    /// <summary>Reads a value, own writes of this call included; <see langword="default"/> when the key is not set.</summary>
    ValueTask<T?> GetAsync<T>(string key, CancellationToken cancellationToken = default);

    /// <summary>Sets a value. Keys are 1 to 256 characters, values must be serialisable as JSON.</summary>
    ValueTask SetAsync<T>(string key, T value, CancellationToken cancellationToken = default);

    /// <summary>Removes a value.</summary>
    ValueTask RemoveAsync(string key, CancellationToken cancellationToken = default);

    /// <summary>Reads, changes and sets a value, and returns what was set.</summary>
    /// <param name="key">The key.</param>
    /// <param name="update">Computes the new value from the old one. Runs again if the same call has written the key meanwhile.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    ValueTask<T> UpdateAsync<T>(string key, Func<T?, T> update, CancellationToken cancellationToken = default);
}

/// <summary>State kept with the client's session. Inject it into a tool.</summary>
/// <exception cref="InvalidOperationException">Used outside a call, or as session state where the client has no session.</exception>
public interface ISessionState : IStateBag
{
    /// <summary>Whether the client has a session; clients of the stateless revision (2026-07-28) have none and need a handle.</summary>
    bool HasSession { get; }

    /// <summary>Opens state that is reached by a handle, for clients without a session and for state that several sessions share.</summary>
    /// <param name="handle">What an earlier call returned, or <see langword="null"/> to mint a new one.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="McpException">The handle is unknown, has expired, or belongs to another user.</exception>
    ValueTask<IStateHandle> OpenAsync(string? handle, CancellationToken cancellationToken = default);
}

/// <summary>State behind a handle: unguessable, bound to the user who had it minted, with an expiry of its own.</summary>
public interface IStateHandle : IStateBag
{
    /// <summary>Return it to the client, which passes it to later calls.</summary>
    string Handle { get; }
}
