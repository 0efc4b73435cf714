using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Journal;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>The end of the session, and that of its copy here.</summary>
internal sealed partial class LiveSession
{
    /// <summary>Ends the session for good, everywhere. <see langword="false"/>: it is no longer served here, its owner has to end it.</summary>
    /// <exception cref="StoreUnavailableException">Not known whether it has ended; the local copy has.</exception>
    public async Task<bool> EndAsync(string reason, CancellationToken cancellationToken)
    {
        StopServing();
        try
        {
            if (await _runtime.Store.EndAsync(Id, Epoch, cancellationToken).ConfigureAwait(false) == CommitResult.Fenced)
                return false;
        }
        finally
        {
            Close();
        }

        using var span = Trace(SpanNames.End, reason);
        using var scope = BeginScope();
        _runtime.Metrics.Ended(reason);
        LogEnded(Id, reason);
        return true;
    }

    /// <summary>Ends the session if nobody has used it for that long.</summary>
    public Task EndIdleAsync(TimeSpan idle, CancellationToken cancellationToken)
    {
        lock (Gate)
        {
            if (_closed || Calls.AnyRunning || GetStreams.HasReader || _runtime.Time.GetElapsedTime(LastUsed) < idle)
                return Task.CompletedTask;
            _closed = true;
        }

        return EndAsync("idle", cancellationToken);
    }

    /// <summary>Ends the local copy: no byte and no write follows. Connections are cut, so that clients come back to the new owner.</summary>
    public void Close()
    {
        StopServing();
        if (!_gone.TrySetResult())
            return;

        StopAwaitingListener();
        Queue.Stop();
        Transport.Close();
        _onGone(this);
        EventStream[] streams;
        OpenCall[] calls;
        lock (Gate)
        {
            calls = [.. Calls.Open];
            Calls.Leave();
            streams = [.. GetStreams.Known, .. calls.Select(c => c.Stream)];
        }

        foreach (var stream in streams)
            stream.Move();
        foreach (var call in calls)
            call.ForgetState();
        _ = DisposeServerAsync();
    }

    void ICommitOwner.Fenced() => Close();

    private bool StopServing()
    {
        lock (Gate)
        {
            if (_closed)
                return false;
            _closed = true;
            return true;
        }
    }

    private async Task DisposeServerAsync()
    {
        try
        {
            await _stopping.CancelAsync().ConfigureAwait(false);
            if (_server is { } server)
                await server.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            LogServerFailed(e, Id);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Session {SessionId} ended: {Reason}.")]
    private partial void LogEnded(string sessionId, string reason);
}
