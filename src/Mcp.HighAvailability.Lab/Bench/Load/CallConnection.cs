using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Mcp.HighAvailability.Lab.Bench.Load;

/// <summary>
/// One keep-alive connection with a session of its own and one call at a time. It checks every answer. It reads and writes without the
/// runtime's asynchronous sockets, so that it costs little beside what is measured.
/// </summary>
internal sealed class CallConnection : IDisposable
{
    // Ten digits, so that a request keeps its length.
    private const long FirstNumber = 1_000_000_000;

    private readonly int _port;
    private readonly Dictionary<CallKind, CallRequest> _requests;
    private readonly byte[] _expectedId = new byte[32];
    private readonly byte[] _expectedText = new byte[64];
    private byte[] _buffer = new byte[4 * 1024];
    private int _idLength;
    private int _textLength;
    private long _number = FirstNumber;
    private long _counter;
    private CallKind _kind;
    private long _sent;
    private long _arrived;

    // Of the answer that is being read: bytes so far, and its head.
    private int _length;
    private int _headLength;
    private AnswerHead _head;

    private CallConnection(Uri endpoint, string sessionId)
    {
        _port = endpoint.Port;
        Socket = Connect();
        _requests = new()
        {
            [CallKind.ReadOnly] = new(endpoint, sessionId, "echo"),
            [CallKind.State] = new(endpoint, sessionId, "count"),
            [CallKind.Effect] = new(endpoint, sessionId, "send"),
        };
    }

    /// <summary>The current connection. It changes when the server closes it between two calls.</summary>
    public Socket Socket { get; private set; }

    /// <summary>Time from a request to its answer, per call, in <see cref="Stopwatch"/> ticks.</summary>
    public List<long> Latencies { get; } = new(4 * 1024);

    /// <summary>The first wrong answer; <see langword="null"/> if all were right.</summary>
    public string? Error { get; private set; }

    /// <summary>Opens a session, where there are sessions, and connects.</summary>
    public static async Task<CallConnection> OpenAsync(Uri endpoint, bool withSession, CancellationToken cancellationToken)
    {
        var sessionId = "";
        if (withSession)
        {
            using var session = await RawSession.OpenAsync(endpoint, cancellationToken);
            sessionId = session.Id;
        }

        return new CallConnection(endpoint, sessionId);
    }

    /// <summary>Forgets what was measured, and connects again if the server has closed the connection meanwhile: servers close idle ones.</summary>
    public void Reset()
    {
        Latencies.Clear();
        Error = null;
        if (Socket.Poll(0, SelectMode.SelectRead) && Socket.Available == 0)
            Reconnect();
    }

    /// <summary>Sends the next call.</summary>
    public void Send(CallKind kind)
    {
        _number++;
        _kind = kind != CallKind.Mixed ? kind : _number % 5 == 0 ? CallKind.State : CallKind.ReadOnly;
        Expect();
        (_length, _headLength, _arrived) = (0, 0, 0);
        var request = _requests[_kind].With(_number);
        _sent = Stopwatch.GetTimestamp();
        while (request.Length > 0)
            request = request[Socket.Send(request)..];
    }

    /// <summary>Reads what has arrived. Blocks if nothing has.</summary>
    /// <returns>Whether the answer is complete.</returns>
    /// <exception cref="IOException">The server closed the connection.</exception>
    public bool Receive()
    {
        if (_length == _buffer.Length)
            Array.Resize(ref _buffer, _length * 2);
        var count = Socket.Receive(_buffer.AsSpan(_length));
        if (count == 0)
            throw new IOException("The server closed the connection within a call.");
        _length += count;
        var answer = _buffer.AsSpan(0, _length);
        if (_headLength == 0 && !AnswerHead.TryParse(answer, out _head, out _headLength))
            return false;

        // The client has its answer now, even if the end of the HTTP response comes in a packet of its own.
        if (_arrived == 0 && IsAnswer(answer[_headLength..]))
            _arrived = Stopwatch.GetTimestamp();
        if (!_head.IsComplete(answer[_headLength..]))
            return false;
        if (_arrived != 0 && _head.Status == 200)
            Latencies.Add(_arrived - _sent);
        else
            Error ??= $"HTTP {_head.Status}: {Encoding.UTF8.GetString(answer[_headLength..Math.Min(_length, _headLength + 300)])}";
        if (_head.Closes)
            Reconnect();
        return true;
    }

    public void Dispose() => Socket.Dispose();

    private void Reconnect()
    {
        Socket.Dispose();
        Socket = Connect();
    }

    private Socket Connect()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true,
            ReceiveTimeout = (int)LoadThread.AnswerTimeout.TotalMilliseconds };
        socket.Connect(IPAddress.Loopback, _port);
        return socket;
    }

    private void Expect()
    {
        "\"id\":"u8.CopyTo(_expectedId);
        Utf8Formatter.TryFormat(_number, _expectedId.AsSpan(5), out var digits);
        _idLength = 5 + digits;
        var start = _kind == CallKind.State ? "\"text\":\""u8 : "\"text\":\"hello "u8;
        start.CopyTo(_expectedText);
        Utf8Formatter.TryFormat(_kind == CallKind.State ? ++_counter : _number, _expectedText.AsSpan(start.Length), out digits);
        _expectedText[start.Length + digits] = (byte)'"';
        _textLength = start.Length + digits + 1;
    }

    private bool IsAnswer(ReadOnlySpan<byte> body) =>
        body.IndexOf(_expectedText.AsSpan(0, _textLength)) >= 0 && body.IndexOf(_expectedId.AsSpan(0, _idLength)) >= 0
        && body.IndexOf("\"result\""u8) >= 0 && body.IndexOf("\"isError\":true"u8) < 0;
}
