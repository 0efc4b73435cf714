using System.Buffers.Text;
using System.Diagnostics;
using System.Text;

namespace Mcp.HighAvailability.Lab.Bench.Load;

/// <summary>Calls <c>echo</c> on one connection, one call after the other, and checks every answer.</summary>
internal sealed class EchoConnection : IDisposable
{
    // So many digits that the request keeps its length: number and text are written over those of the last call.
    private const long FirstNumber = 1_000_000_000;
    private const int Digits = 10;

    private readonly HttpWire _wire;
    private readonly byte[] _request;
    private readonly int _id;
    private readonly int _text;
    private readonly byte[] _expectedId = Encoding.ASCII.GetBytes("\"id\":0000000000");
    private readonly byte[] _expectedText = Encoding.ASCII.GetBytes("\"text\":\"hello 0000000000\"");
    private byte[] _answer = new byte[2 * 1024];
    private long _number = FirstNumber;

    private EchoConnection(HttpWire wire, Uri endpoint, string sessionId)
    {
        _wire = wire;
        _request = RawSession.Build(endpoint, "POST", sessionId, """{"jsonrpc":"2.0","id":0000000000,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello 0000000000"}}}""");
        _id = _request.AsSpan().IndexOf("\"id\":0"u8) + 5;
        _text = _request.AsSpan().IndexOf("hello "u8) + 6;
    }

    /// <summary>Time from a request to its answer, per call, in <see cref="Stopwatch"/> ticks.</summary>
    public List<long> Latencies { get; } = new(64 * 1024);

    /// <summary>Answers that were wrong.</summary>
    public int Errors { get; private set; }

    /// <summary>The first wrong answer.</summary>
    public string? FirstError { get; private set; }

    public static async Task<EchoConnection> OpenAsync(Uri endpoint, bool withSession, CancellationToken cancellationToken)
    {
        var wire = await HttpWire.ConnectAsync(endpoint, cancellationToken);
        try
        {
            var session = withSession ? (await RawSession.OpenAsync(endpoint, wire, cancellationToken)).Id : "";
            return new EchoConnection(wire, endpoint, session);
        }
        catch
        {
            wire.Dispose();
            throw;
        }
    }

    /// <summary>Forgets what was measured.</summary>
    public void Reset()
    {
        Latencies.Clear();
        Errors = 0;
        FirstError = null;
    }

    /// <summary>Calls until a moment, in <see cref="Stopwatch"/> ticks, has passed.</summary>
    public async Task RunAsync(long until, CancellationToken cancellationToken)
    {
        long now;
        while ((now = Stopwatch.GetTimestamp()) < until)
        {
            Number(++_number);
            await _wire.SendAsync(_request, cancellationToken);
            await _wire.ReadHeadAsync(wantSession: false, cancellationToken);
            var length = 0;
            long arrived = 0;
            while (await _wire.ReadBodyAsync(cancellationToken) is { Length: > 0 } piece)
            {
                if (length + piece.Length > _answer.Length)
                    Array.Resize(ref _answer, (length + piece.Length) * 2);
                piece.CopyTo(_answer.AsMemory(length));
                length += piece.Length;
                // The client has its answer now, even where the end of the HTTP response comes in a packet of its own.
                if (arrived == 0 && IsAnswer(_answer.AsSpan(0, length)))
                    arrived = Stopwatch.GetTimestamp();
            }

            if (arrived != 0 && _wire.Status == 200)
                Latencies.Add(arrived - now);
            else
                Fail(length);
        }
    }

    public void Dispose() => _wire.Dispose();

    private void Number(long number)
    {
        Utf8Formatter.TryFormat(number, _request.AsSpan(_id, Digits), out _);
        Utf8Formatter.TryFormat(number, _request.AsSpan(_text, Digits), out _);
        Utf8Formatter.TryFormat(number, _expectedId.AsSpan(5, Digits), out _);
        Utf8Formatter.TryFormat(number, _expectedText.AsSpan(14, Digits), out _);
    }

    private bool IsAnswer(ReadOnlySpan<byte> body) =>
        body.IndexOf(_expectedText) >= 0 && body.IndexOf(_expectedId) >= 0 && body.IndexOf("\"result\""u8) >= 0 && body.IndexOf("\"isError\":true"u8) < 0;

    private void Fail(int length)
    {
        Errors++;
        FirstError ??= $"HTTP {_wire.Status}: {Encoding.UTF8.GetString(_answer, 0, Math.Min(length, 300))}";
    }
}
