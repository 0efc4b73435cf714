using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Mcp.HighAvailability.Lab.Bench.Load;

/// <summary>
/// One keep-alive connection that speaks just enough HTTP/1.1 to measure with: it sends bytes that were built before and reads
/// answers with a length or in chunks. It does so little that the server, and not the client, is what is measured.
/// </summary>
internal sealed class HttpWire : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private byte[] _buffer = new byte[4 * 1024];
    private int _start;
    private int _end;

    // Bytes of the body, or of its current chunk, that are still to come.
    private long _left;
    private Framing _framing;

    private enum Framing
    {
        Done,
        Length,
        ChunkHead,
        Chunk,
        ChunkEnd,
    }

    /// <summary>Status of the current answer.</summary>
    public int Status { get; private set; }

    /// <summary>The session that the current answer names, if it was asked for.</summary>
    public string? SessionId { get; private set; }

    public static async Task<HttpWire> ConnectAsync(Uri url, CancellationToken cancellationToken)
    {
        var wire = new HttpWire();
        try
        {
            await wire._socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, url.Port), cancellationToken);
            return wire;
        }
        catch
        {
            wire.Dispose();
            throw;
        }
    }

    public async ValueTask SendAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        while (request.Length > 0)
            request = request[await _socket.SendAsync(request, cancellationToken)..];
    }

    /// <summary>Reads the head of the next answer.</summary>
    /// <param name="wantSession">Whether to read <see cref="SessionId"/> from it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async ValueTask ReadHeadAsync(bool wantSession, CancellationToken cancellationToken)
    {
        int length;
        while ((length = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n\r\n"u8)) < 0)
            await ReceiveAsync(cancellationToken);
        ParseHead(_buffer.AsSpan(_start, length + 2), wantSession);
        _start += length + 4;
    }

    /// <summary>The next piece of the answer's body, valid until the next call; empty at its end.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ReadBodyAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            switch (_framing)
            {
                case Framing.Done:
                    return default;
                case Framing.ChunkHead:
                    var line = await LineAsync(cancellationToken);
                    if (!Utf8Parser.TryParse(_buffer.AsSpan(_start, line), out _left, out _, 'x'))
                        throw new InvalidDataException("A chunk of the answer has no length.");
                    _start += line + 2;
                    _framing = _left > 0 ? Framing.Chunk : Framing.ChunkEnd;
                    break;
                case Framing.ChunkEnd:
                    _start += await LineAsync(cancellationToken) + 2;
                    _framing = _left > 0 ? Framing.ChunkHead : Framing.Done;
                    break;
                case Framing.Length when _left == 0:
                    _framing = Framing.Done;
                    break;
                default:
                    if (_start == _end)
                        await ReceiveAsync(cancellationToken);
                    var count = (int)Math.Min(_left, _end - _start);
                    var piece = _buffer.AsMemory(_start, count);
                    _start += count;
                    _left -= count;
                    if (_left == 0 && _framing == Framing.Chunk)
                    {
                        _framing = Framing.ChunkEnd;
                        // Not the last chunk, which is the empty one.
                        _left = 1;
                    }

                    return piece;
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    private async ValueTask<int> LineAsync(CancellationToken cancellationToken)
    {
        int length;
        while ((length = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n"u8)) < 0)
            await ReceiveAsync(cancellationToken);
        return length;
    }

    private async ValueTask ReceiveAsync(CancellationToken cancellationToken)
    {
        if (_start == _end)
        {
            _start = _end = 0;
        }
        else if (_end == _buffer.Length)
        {
            var buffer = _start > _buffer.Length / 2 ? _buffer : new byte[_buffer.Length * 2];
            _buffer.AsSpan(_start, _end - _start).CopyTo(buffer);
            (_buffer, _start, _end) = (buffer, 0, _end - _start);
        }

        var count = await _socket.ReceiveAsync(_buffer.AsMemory(_end), cancellationToken);
        if (count == 0)
            throw new IOException("The server closed the connection.");
        _end += count;
    }

    private void ParseHead(ReadOnlySpan<byte> head, bool wantSession)
    {
        if (!head.StartsWith("HTTP/1.1 "u8) || !Utf8Parser.TryParse(head[9..], out int status, out _))
            throw new InvalidDataException("The answer is no HTTP/1.1.");
        Status = status;
        SessionId = null;
        _framing = Framing.Done;
        _left = 0;
        while (true)
        {
            head = head[(head.IndexOf("\r\n"u8) + 2)..];
            if (head.IsEmpty)
                return;
            if (Is(head, "content-length: "u8, out var length))
            {
                _framing = Framing.Length;
                _ = Utf8Parser.TryParse(length, out _left, out _);
            }
            else if (Is(head, "transfer-encoding: chunked"u8, out _))
            {
                _framing = Framing.ChunkHead;
            }
            else if (wantSession && Is(head, "mcp-session-id: "u8, out var id))
            {
                SessionId = Encoding.ASCII.GetString(id[..id.IndexOf((byte)'\r')]);
            }
        }
    }

    private static bool Is(ReadOnlySpan<byte> line, ReadOnlySpan<byte> start, out ReadOnlySpan<byte> rest)
    {
        var same = line.Length >= start.Length && Ascii.EqualsIgnoreCase(line[..start.Length], start);
        rest = same ? line[start.Length..] : default;
        return same;
    }
}
