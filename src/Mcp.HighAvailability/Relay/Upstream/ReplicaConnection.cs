using System.Buffers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Relay.Upstream;

/// <summary>A connection to a replica by HTTP/1.1 without TLS, which serves one call after the other.</summary>
/// <remarks>After a call it returns to its pool if the response was read to its end and nothing else has arrived; otherwise it is closed.</remarks>
internal sealed class ReplicaConnection(ReplicaConnections pool) : ReplicaCall
{
    private const int BufferBytes = 4 * 1024;
    private const int MaxInformational = 8;

    // A larger body is sent while the response is awaited: a replica may refuse it before it has read it.
    private const int MaxBytesSentAtOnce = 16 * 1024;

    private readonly ResponseHead _head = new();
    private readonly CancellationTokenSource _connecting = new();
    private RequestHead _request;
    private ResponseBody _body;
    private Task<bool>? _sending; // of a large body
    private bool _isHead;
    private bool _answered;
    private Socket? _socket;
    private volatile bool _aborted;
    private byte[] _buffer = []; // what has arrived and was not read yet
    private int _start;
    private int _end;

    /// <summary>When it was last used, by the pool's clock.</summary>
    public long LastUsed { get; set; }

    /// <summary>The replica has not closed it, and has not sent anything unasked.</summary>
    public bool IsUsable => !_aborted && _socket is { } socket && !socket.Poll(0, SelectMode.SelectRead);

    public override int Status => _head.Status;

    public override long? Length => _isHead || _head.Status is StatusCodes.Status204NoContent or StatusCodes.Status304NotModified ? 0 : _head.ContentLength;

    public override void Begin(HttpMethod method, string pathAndQuery)
    {
        (_isHead, _answered, _sending, _body) = (method == HttpMethod.Head, false, null, ResponseBody.None);
        _request.Begin(method.Method, pathAndQuery, pool.Host);
    }

    public override void AddHeader(string name, string value) => _request.Add(name, value);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<SendOutcome> SendAsync(ReadOnlyMemory<byte>? body)
    {
        if (_socket is null && await ConnectAsync() is var connected and not SendOutcome.Answered)
            return connected;

        _request.End(body?.Length);
        var whole = body is null || body.Value.Length <= MaxBytesSentAtOnce;
        if (whole && body is { } small)
            _request.Write(small.Span);
        var sent = 0;
        try
        {
            for (var head = _request.Written; sent < head.Length;)
                sent += await _socket!.SendAsync(head[sent..], SocketFlags.None);
            if (!whole)
                _sending = SendBodyAsync(_socket!, body!.Value);
            return await ReadHeadAsync() ? SendOutcome.Answered : SendOutcome.Broken;
        }
        catch (Exception e) when (IsBreak(e))
        {
            return sent == 0 && !_aborted ? SendOutcome.NotConnected : SendOutcome.Broken;
        }
    }

    public override string? Header(string name) => _head.Find(name);

    public override void CopyHeaders(IHeaderDictionary to) => _head.CopyTo(to);

    public override bool TryReadWhole(out ReadOnlyMemory<byte> body)
    {
        var plain = _body.Plain;
        if (!_body.IsDone && (plain == 0 || plain > _end - _start))
        {
            body = default;
            return false;
        }

        body = _buffer.AsMemory(_start, (int)plain);
        _start += (int)plain;
        if (plain > 0)
            _body.Received((int)plain);
        return true;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> destination)
    {
        try
        {
            while (!_body.IsDone)
            {
                if (_start < _end)
                {
                    var read = _body.Read(_buffer.AsSpan(_start, _end - _start), destination.Span, out var consumed);
                    _start += consumed;
                    if (_body.IsMalformed)
                        return Broken;
                    if (read > 0)
                        return read;
                    continue;
                }

                if (_body.Plain is > 0 and var left)
                {
                    var read = await _socket!.ReceiveAsync(destination[..(int)Math.Min(left, destination.Length)], SocketFlags.None);
                    _body.Received(read);
                    return read > 0 ? read : Broken;
                }

                if (!await ReceiveAsync())
                    return Broken;
            }

            return 0;
        }
        catch (Exception e) when (IsBreak(e))
        {
            return Broken;
        }
    }

    public override async ValueTask WaitAsync()
    {
        if (_body.IsDone || _start < _end)
            return;
        ReleaseBuffer();
        try
        {
            await _socket!.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None);
        }
        catch (Exception e) when (IsBreak(e))
        {
            // The next read says so.
        }
    }

    public override void Abort()
    {
        _aborted = true;
        Interlocked.MemoryBarrier(); // a connection that is being made sees this, or is seen here
        _connecting.Cancel();
        _socket?.Dispose();
    }

    /// <summary>Ends the call; the connection returns to its pool or is closed.</summary>
    public override void Dispose()
    {
        var isClean = _answered && _body.IsDone && _start == _end && _head.KeepsConnection && _sending is null or { IsCompleted: true, Result: true };
        _request.Release();
        ReleaseBuffer();
        if (!isClean || _aborted || !pool.TryReturn(this))
            Close();
    }

    /// <summary>Closes the connection. Once.</summary>
    public void Close()
    {
        Abort();
        if (_socket is not null)
            pool.Closed(this);
        _socket = null;
    }

    private async ValueTask<SendOutcome> ConnectAsync()
    {
        var (socket, outcome) = await pool.ConnectAsync(this, _connecting.Token);
        if (socket is null)
            return outcome;
        _socket = socket;
        Interlocked.MemoryBarrier();
        if (!_aborted)
            return SendOutcome.Answered;
        socket.Dispose();
        return SendOutcome.NotConnected;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> ReadHeadAsync()
    {
        var informational = 0;
        while (true)
        {
            switch (_head.TryRead(_buffer.AsSpan(_start, _end - _start), out var length))
            {
                case HeadReading.Malformed:
                    return false;
                case HeadReading.Incomplete:
                    if (!await ReceiveAsync())
                        return false;
                    break;
                default:
                    _start += length;
                    if (_head.Status >= StatusCodes.Status200OK)
                        return BeginBody();
                    if (_head.Status == StatusCodes.Status101SwitchingProtocols || ++informational > MaxInformational)
                        return false;
                    break;
            }
        }
    }

    private bool BeginBody()
    {
        if (Length is { } length)
            _body = ResponseBody.OfLength(length);
        else if (_head.IsChunked)
            _body = ResponseBody.Chunked;
        else
            return false; // no telling whether it is whole
        _answered = true;
        return true;
    }

    // Receives behind what has arrived and was not read. False: the replica has ended the connection.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> ReceiveAsync()
    {
        if (_start == _end)
            _start = _end = 0;
        if (_end == _buffer.Length)
            MakeRoom();
        var read = await _socket!.ReceiveAsync(_buffer.AsMemory(_end), SocketFlags.None);
        _end += read;
        return read > 0;
    }

    private void ReleaseBuffer()
    {
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, _start, _end) = ([], 0, 0);
    }

    // Only heads gather here, which are bounded.
    private void MakeRoom()
    {
        var room = _start > 0 ? _buffer.Length : Math.Max(BufferBytes, _buffer.Length * 2);
        var buffer = ArrayPool<byte>.Shared.Rent(room);
        _buffer.AsSpan(_start, _end - _start).CopyTo(buffer);
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, _start, _end) = (buffer, 0, _end - _start);
    }

    // Fails unseen: receiving fails as well, unless the replica has answered before it had read everything.
    private static async Task<bool> SendBodyAsync(Socket socket, ReadOnlyMemory<byte> body)
    {
        try
        {
            while (body.Length > 0)
                body = body[await socket.SendAsync(body, SocketFlags.None)..];
            return true;
        }
        catch (Exception e) when (IsBreak(e))
        {
            return false;
        }
    }

    private static bool IsBreak(Exception e) => e is SocketException or ObjectDisposedException or OperationCanceledException;
}
