using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Timing;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Http;

/// <summary>A response body that the SDK writes events to, with keep-alive comments between them.</summary>
/// <remarks>
/// The first comment starts a response that is still silent, and so decides its status: 200. An error that comes within <see cref="StatusDelay"/> keeps
/// the HTTP status of its own; a later one is an event of the stream.
/// </remarks>
internal sealed class KeepAliveBody(HttpContext context, TimeProvider time) : Stream, IKeptAlive
{
    /// <summary>How long a request may be silent before a comment decides the status of its response.</summary>
    public static readonly TimeSpan StatusDelay = TimeSpan.FromSeconds(1);

    private static readonly ReadOnlyMemory<byte> Comment = ":\n\n"u8.ToArray();

    private readonly Stream _body = context.Response.Body;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly long _opened = time.GetTimestamp();
    private bool _lineEnded;
    private bool _betweenEvents = true;
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

    /// <inheritdoc/>
    public Due<IKeptAlive>? Due { get; set; }

    /// <summary>Sends a comment, unless the request is too young or an event is being written.</summary>
    void IKeptAlive.KeepAlive()
    {
        if (time.GetElapsedTime(_opened) >= StatusDelay && _gate.Wait(0))
            _ = CommentAsync();
    }

    /// <summary>Stops the comments. When this has completed, the connection may serve other requests.</summary>
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
            var before = _betweenEvents;
            Note(buffer.Span);
            if (before && _betweenEvents && JsonEscapes.Any(buffer.Span))
                buffer = JsonEscapes.Remove(buffer.ToArray()); // whole events: the SDK escapes all that is not ASCII, and quotation marks
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
            if (!_ended && _betweenEvents && !context.RequestAborted.IsCancellationRequested)
            {
                await _body.WriteAsync(Comment, context.RequestAborted).ConfigureAwait(false);
                await _body.FlushAsync(context.RequestAborted).ConfigureAwait(false);
            }
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
