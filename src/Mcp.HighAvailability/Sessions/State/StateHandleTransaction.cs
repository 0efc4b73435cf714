using Mcp.HighAvailability.Storage;
using ModelContextProtocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>One call's view of the state behind a handle; committed unless another call committed in between.</summary>
internal sealed class StateHandleTransaction(string handle, StateHandleSnapshot snapshot) : StateTransaction, IStateHandle
{
    public string Handle => handle;

    public long Version => snapshot.Version;

    protected override ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ReadAsync(CancellationToken cancellationToken) =>
        new(snapshot.Values);

    /// <summary>Opens a handle for a user. A handle of another user looks like one that does not exist.</summary>
    public static async ValueTask<StateHandleTransaction> OpenAsync(
        HeldStateHandles store, string? handle, string user, CancellationToken cancellationToken)
    {
        if (handle is null)
        {
            handle = StateHandles.Mint();
            await store.CreateAsync(handle, user, cancellationToken).ConfigureAwait(false);
            return new(handle, new StateHandleSnapshot(user, 0, new Dictionary<string, ReadOnlyMemory<byte>>()));
        }

        var found = StateHandles.IsWellFormed(handle) ? await store.ReadAsync(handle, cancellationToken).ConfigureAwait(false) : null;
        return found is not null && (found.User.Length == 0 || found.User == user)
            ? new(handle, found)
            : throw new McpException("Unknown state handle: it has expired, belongs to another user, or was never issued. Leave the argument out to get a new" +
                " one.");
    }
}

/// <summary>Form of state handles: <c>h-</c> and 32 hex digits, 128 random bits.</summary>
internal static class StateHandles
{
    public static string Mint() => "h-" + Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(16));

    public static bool IsWellFormed(string handle) =>
        handle.Length == 34 && handle.StartsWith("h-", StringComparison.Ordinal) && !handle.AsSpan(2).ContainsAnyExcept("0123456789abcdef");
}
