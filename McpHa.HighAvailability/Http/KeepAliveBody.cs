using Microsoft.AspNetCore.Http;

namespace McpHa.HighAvailability.Http;

/// <summary>A response body that somebody else writes events to, with signs of life between them.</summary>
internal sealed class KeepAliveBody(HttpContext context) : Stream, IKeptAlive
{
    private static readonly ReadOnlyMemory<byte> Comment = ":\n\n"u8.ToArray();

    private readonly Stream _body = context.Response.Body;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private bool _begun;
    private bool _lineEnded;
    private bool _betweenEvents = true;
    private bool _quiet;
    private bool _ended;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Sends a comment, if nothing was sent since the last time and the response has begun: before that its status is open.</summary>
    void IKeptAlive.KeepAlive()
    {
        if (_gate.Wait(0))
            _ = CommentAsync();
    }

    /// <summary>Nothing is written any more once this has completed: the connection goes on to serve others.</summary>
    public async ValueTask EndAsync()
    {
        await _gate.WaitAsync().ConfigureAwait(false);
        _ended = true;
        _gate.Release();
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            Note(buffer.Span);
            await _body.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Responses are written asynchronously.");

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            _begun = true;
            await _body.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    public override void Flush() => throw new NotSupportedException("Responses are written asynchronously.");

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    // An event ends with an empty line, which may come in a write of its own.
    private void Note(ReadOnlySpan<byte> bytes)
    {
        _quiet = false;
        foreach (var b in bytes)
        {
            _betweenEvents = b == '\n' && _lineEnded;
            _lineEnded = b == '\n';
        }
    }

    private async Task CommentAsync()
    {
        try
        {
            if (!_ended && _quiet && _begun && _betweenEvents && !context.RequestAborted.IsCancellationRequested)
            {
                await _body.WriteAsync(Comment, context.RequestAborted).ConfigureAwait(false);
                await _body.FlushAsync(context.RequestAborted).ConfigureAwait(false);
            }

            _quiet = true;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The client has gone, which ends the request by itself.
        }
        finally
        {
            _gate.Release();
        }
    }
}
