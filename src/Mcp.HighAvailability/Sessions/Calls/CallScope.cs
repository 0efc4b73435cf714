using System.Text;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;

namespace Mcp.HighAvailability.Sessions;

/// <summary>The client request that the current flow of execution works on, for services that are injected into tools.</summary>
internal abstract class CallScope
{
    private static readonly AsyncLocal<CallScope?> Ambient = new();
    private Dictionary<string, StateHandleTransaction>? _handles;
    private Dictionary<string, int>? _published;

    public static CallScope? Current
    {
        get => Ambient.Value;
        set => Ambient.Value = value;
    }

    public abstract string? SessionId { get; }

    public abstract long Epoch { get; }

    /// <summary>Key of the user that sends the request; empty when anonymous.</summary>
    public abstract string User { get; }

    /// <summary>Unique over the cluster, and the same when the request is run again.</summary>
    public abstract string CallId { get; }

    /// <summary>This call's view of the session state; <see langword="null"/> without a session.</summary>
    public abstract StateTransaction? SessionState { get; }

    public IReadOnlyCollection<StateHandleTransaction> Handles
    {
        get
        {
            if (Volatile.Read(ref _handles) is not { } handles)
                return [];
            lock (handles)
                return [.. handles.Values];
        }
    }

    /// <summary>Forgets everything that this run of the handler did to state, before it is run again in place.</summary>
    public virtual void ForgetState()
    {
        Volatile.Write(ref _handles, null);
        Volatile.Write(ref _published, null);
    }

    /// <summary>
    /// Names the next broadcast that the current flow of execution makes: as <see cref="NameNextPublication"/> in a call, otherwise like no other.
    /// </summary>
    public static string NamePublication(string about) => Current?.NameNextPublication(about) ?? Guid.NewGuid().ToString("N");

    /// <summary>Names the next broadcast of the call about something; the same when the call is run again.</summary>
    public string NameNextPublication(string about)
    {
        var published = LazyInitializer.EnsureInitialized(ref _published, static () => []);
        int occurrence;
        lock (published)
            occurrence = published[about] = published.GetValueOrDefault(about) + 1;
        return ContentHash.Of(Encoding.UTF8.GetBytes($"{CallId} {occurrence} {about}")).ToString();
    }

    public StateHandleTransaction Add(StateHandleTransaction handle)
    {
        // A handler may open several at the same time, and each of them must be committed.
        var handles = LazyInitializer.EnsureInitialized(ref _handles, static () => []);
        lock (handles)
            return handles.TryAdd(handle.Handle, handle) ? handle : handles[handle.Handle];
    }
}

/// <summary>A request of the stateless revision.</summary>
internal sealed class StatelessCall(string user, ExchangeId exchange) : CallScope
{
    public override string? SessionId => null;

    public override long Epoch => 0;

    public override string User => user;

    // Users cannot choose what repeats a call of another one.
    public override string CallId => $"{ContentHash.Of(Encoding.UTF8.GetBytes(user))}/{exchange}";

    public override StateTransaction? SessionState => null;
}
