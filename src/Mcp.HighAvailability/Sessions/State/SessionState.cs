namespace Mcp.HighAvailability.Sessions;

/// <summary>Session state for tools: leads to the state of the current call.</summary>
internal sealed class SessionState(HeldStateHandles handles) : ISessionState
{
    private static CallScope Call => CallScope.Current
        ?? throw new InvalidOperationException("Session state is available only while a client's request is handled. This code runs outside a request.");

    private static StateTransaction OfSession => Call.SessionState
        ?? throw new InvalidOperationException(
            "This client has no session (stateless revision 2026-07-28). Let the tool take a handle as an argument and use " +
                "ISessionState.OpenAsync(handle), or set HighAvailability:SessionMode to Stateful.");

    public bool HasSession => Call.SessionState is not null;

    public async ValueTask<IStateHandle> OpenAsync(string? handle, CancellationToken cancellationToken = default)
    {
        var call = Call;
        return call.Add(await StateHandleTransaction.OpenAsync(handles, handle, call.User, cancellationToken).ConfigureAwait(false));
    }

    public ValueTask<T?> GetAsync<T>(string key, CancellationToken cancellationToken = default) => OfSession.GetAsync<T>(key, cancellationToken);

    public ValueTask SetAsync<T>(string key, T value, CancellationToken cancellationToken = default) => OfSession.SetAsync(key, value, cancellationToken);

    public ValueTask RemoveAsync(string key, CancellationToken cancellationToken = default) => OfSession.RemoveAsync(key, cancellationToken);

    public ValueTask<T> UpdateAsync<T>(string key, Func<T?, T> update, CancellationToken cancellationToken = default) =>
        OfSession.UpdateAsync(key, update, cancellationToken);
}
