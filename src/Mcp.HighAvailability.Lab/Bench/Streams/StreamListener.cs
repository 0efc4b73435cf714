using System.Buffers.Text;
using System.Diagnostics;
using Mcp.HighAvailability.Lab.Bench.Load;

namespace Mcp.HighAvailability.Lab.Bench.Streams;

/// <summary>One open GET stream. It notes when each numbered broadcast arrives.</summary>
internal sealed class StreamListener(RawSession session, Running owner) : IDisposable
{
    /// <summary>Text before the number in a broadcast.</summary>
    public const string Mark = "tick ";

    private readonly List<Arrival> _arrivals = [];
    private readonly List<byte> _line = [];
    private RawSession? _stream;
    private volatile int _last;

    /// <summary>The replica that opened the session.</summary>
    public Running Owner => owner;

    public RawSession Session => session;

    /// <summary>Number of the broadcast that arrived last; 0: none.</summary>
    public int Last => _last;

    /// <summary>Arrivals in order. Complete once nothing arrives any more.</summary>
    public IReadOnlyList<Arrival> Arrivals => _arrivals;

    /// <summary>Opens the stream.</summary>
    /// <returns>Whether it was accepted.</returns>
    public async Task<bool> OpenAsync(Uri endpoint, CancellationToken cancellationToken)
    {
        var stream = _stream = await session.AtAsync(endpoint, cancellationToken);
        await stream.Wire.SendAsync(stream.Get(), cancellationToken);
        await stream.Wire.ReadHeadAsync(wantSession: false, cancellationToken);
        if (stream.Wire.Status != 200)
            return false;
        _ = ListenAsync(stream);
        return true;
    }

    public void Dispose()
    {
        _stream?.Dispose();
        session.Dispose();
    }

    private async Task ListenAsync(RawSession stream)
    {
        try
        {
            while (await stream.Wire.ReadBodyAsync(CancellationToken.None) is { Length: > 0 } piece)
                Read(piece.Span, Stopwatch.GetTimestamp());
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or ObjectDisposedException)
        {
            // The end of the stream: what it has not got counts as lost.
        }
    }

    private void Read(ReadOnlySpan<byte> piece, long now)
    {
        for (int end; (end = piece.IndexOf((byte)'\n')) >= 0; piece = piece[(end + 1)..])
        {
            if (_line.Count == 0)
            {
                ReadLine(piece[..end], now);
                continue;
            }

            _line.AddRange(piece[..end]);
            ReadLine(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_line), now);
            _line.Clear();
        }

        _line.AddRange(piece);
    }

    private void ReadLine(ReadOnlySpan<byte> line, long now)
    {
        var mark = line.IndexOf("tick "u8);
        if (mark < 0 || !Utf8Parser.TryParse(line[(mark + Mark.Length)..], out int number, out _))
            return;
        _arrivals.Add(new(number, now));
        _last = number;
    }
}

/// <summary>When a broadcast reached a stream.</summary>
/// <param name="Number">Its number.</param>
/// <param name="At">The time, in <see cref="Stopwatch"/> ticks.</param>
internal readonly record struct Arrival(int Number, long At);
