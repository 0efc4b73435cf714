using Microsoft.Extensions.Logging;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Sessions;

/// <summary>The SDK's server of a session: started at once, or when a message first needs it.</summary>
internal sealed partial class Activation(LiveSession session)
{
    private readonly ILogger _logger = session.Runtime.Logger;
    private readonly CancellationTokenSource _stopping = new();
    private McpServer? _server;
    private TaskCompletionSource? _completion;

    /// <summary>The server runs, and has heard the beginning of the session.</summary>
    public bool IsComplete { get; private set; } = true;

    /// <summary>Options of the session's server; those of all sessions until <see cref="StartAsync"/>.</summary>
    public McpServerOptions Options { get; private set; } = session.Runtime.ServerOptions;

    /// <summary>Starts the server.</summary>
    /// <param name="context">For the application's hooks, if it has any.</param>
    /// <param name="cancellationToken">Ends waiting for them.</param>
    public async ValueTask StartAsync(McpSessionContext? context, CancellationToken cancellationToken)
    {
        if (context is not null)
            Options = await session.Runtime.Hooks!.ConfigureAsync(context, Options, cancellationToken).ConfigureAwait(false);
        var server = _server = session.Runtime.CreateServer(session.Transport, Options);
        // The server outlives the request that opens the session, so it must not keep that request's flow of execution.
        ThreadPool.UnsafeQueueUserWorkItem(
            static s => _ = s.Activation.RunAsync(s.Server, s.Context), (Activation: this, Server: server, Context: context), preferLocal: true);
    }

    /// <summary>Starts the server when a message first needs it. The server hears the beginning of the session before that message.</summary>
    /// <param name="replay">Lets the server hear the beginning.</param>
    public void StartOnDemand(Func<LiveSession, CancellationToken, Task> replay)
    {
        IsComplete = false;
        _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        session.Transport.HoldUntilActivated(() => ThreadPool.UnsafeQueueUserWorkItem(
            static s => _ = s.Activation.CompleteAsync(s.Replay), (Activation: this, Replay: replay), preferLocal: false));
    }

    /// <summary>Sends a request to the client, outside any call, and waits for its answer.</summary>
    /// <exception cref="InvalidOperationException">The client has no GET stream open, or the session has moved.</exception>
    public async Task<JsonRpcResponse> RequestAsync(JsonRpcRequest request, CancellationToken cancellationToken)
    {
        if (_completion is { } completion)
        {
            session.Transport.Activate();
            await completion.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        return await _server!.SendRequestAsync(request, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Ends the server. Never throws.</summary>
    public async Task DisposeAsync()
    {
        try
        {
            await _stopping.CancelAsync().ConfigureAwait(false);
            if (_server is { } server)
                await server.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            LogServerFailed(e, session.Id);
        }
    }

    private async Task RunAsync(McpServer server, McpSessionContext? context)
    {
        try
        {
            await (context is null ? server.RunAsync(_stopping.Token) : session.Runtime.Hooks!.RunAsync(context, server, _stopping.Token))
                .ConfigureAwait(false);

            // A handler of the application may end its server.
            session.Close();
        }
        catch (Exception e) when (e is not OperationCanceledException || !_stopping.IsCancellationRequested)
        {
            LogServerFailed(e, session.Id);
            session.Close();
        }
        catch (OperationCanceledException)
        {
            // The usual end.
        }
    }

    private async Task CompleteAsync(Func<LiveSession, CancellationToken, Task> replay)
    {
        try
        {
            await StartAsync(null, _stopping.Token).ConfigureAwait(false);
            await replay(session, _stopping.Token).ConfigureAwait(false);
            IsComplete = true;
            session.Transport.Release();
        }
        catch (Exception e)
        {
            if (!session.IsOver)
                LogNotActivated(e, session.Id);
            session.Close();
        }

        // The session may have ended before its server was there.
        if (session.IsOver)
            await DisposeAsync().ConfigureAwait(false);
        _completion?.TrySetResult();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId} closed on this replica: its MCP server failed. Its next request restores it.")]
    private partial void LogServerFailed(Exception exception, string sessionId);

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId} not activated. Its local copy ends; the next request restores the session.")]
    private partial void LogNotActivated(Exception exception, string sessionId);
}
