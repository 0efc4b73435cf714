using System.Buffers.Binary;
using McpHa.HighAvailability.Sessions;
using ModelContextProtocol.Protocol;

namespace McpHa.HighAvailability.EventBus;

/// <summary>
/// Broadcasts that this replica has heard lately: for sessions that were on their way from one owner to another when one came, so that neither
/// had them then.
/// </summary>
/// <remarks>
/// A broadcast meets all sessions of the replica in one step, and a session arrives in one step. So each broadcast either meets the session or is
/// older than its arrival. What is older, and was not handed on by the former owner, the session gets as it arrives: before anything newer.
/// Only what was published lately can have missed both: a replica that was frozen or cut off hears late what every owner of that time handed on
/// long ago. The time is that of the publisher's clock; should clocks differ by more than a hand-over may take, a session can miss a broadcast that
/// comes in the middle of one.
/// </remarks>
internal sealed class RecentBroadcasts(TimeProvider time)
{
    private const int Most = 256;

    // Told is longer by far: what the new owner takes for missed, the old one must still be able to say that it has handed on.
    private static readonly TimeSpan Missable = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Told = TimeSpan.FromSeconds(15);

    // Taken before any session's gate.
    private readonly Lock _gate = new();
    private readonly Queue<Heard> _heard = new();
    private readonly Dictionary<string, (long Epoch, IReadOnlySet<UInt128> HandedOn)> _expected = new(StringComparer.Ordinal);
    private long _last;
    private long? _forgotten;

    /// <summary>A new id of a broadcast. Ids tell when they were made (UUID version 7).</summary>
    public static UInt128 NewId(DateTimeOffset now)
    {
        Span<byte> bytes = stackalloc byte[16];
        Guid.CreateVersion7(now).TryWriteBytes(bytes, bigEndian: true, out _);
        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    /// <summary>Hands a broadcast to a session, if it wants it. Whether the session takes it is decided before this returns.</summary>
    public Action<LiveSession, JsonRpcNotification, UInt128> Hand { get; set; } = static (_, _, _) => { };

    /// <summary>Hands a broadcast to sessions.</summary>
    public void Deliver(UInt128 id, JsonRpcNotification broadcast, IEnumerable<LiveSession> sessions)
    {
        lock (_gate)
        {
            if (_heard.Count >= Most)
                _forgotten = _heard.Dequeue().At;
            _last++;
            _heard.Enqueue(new(id, broadcast, time.GetTimestamp()));
            foreach (var session in sessions)
                Hand(session, broadcast, id);
        }
    }

    /// <summary>Ids of all that a session has been handed in a time that is long enough; <see langword="null"/>: they were too many to remember.</summary>
    public IReadOnlyList<UInt128>? HandedTo(LiveSession session)
    {
        lock (_gate)
        {
            return _forgotten is { } at && time.GetElapsedTime(at) < Told
                ? null
                : [.. _heard.Where(heard => time.GetElapsedTime(heard.At) < Told).Select(heard => heard.Id).Except(session.Unheard())];
        }
    }

    /// <summary>Notes what the former owner of a session has handed on, until the session arrives.</summary>
    public void Expect(string sessionId, long epoch, IReadOnlySet<UInt128> handedOn)
    {
        lock (_gate)
            _expected[sessionId] = (epoch, handedOn);
    }

    /// <summary>The session has not arrived, or had arrived before: then it catches up now, if it has met nothing newer yet.</summary>
    public void StopExpecting(string sessionId, LiveSession? session)
    {
        lock (_gate)
        {
            if (_expected.Remove(sessionId, out var expected) && session?.Epoch == expected.Epoch && session.ArrivedAfter == _last)
                CatchUp(session, expected.HandedOn);
        }
    }

    /// <summary>A session becomes this replica's.</summary>
    /// <param name="session">The session.</param>
    /// <param name="show">Makes it one of those that broadcasts meet.</param>
    public void Arrive(LiveSession session, Action show)
    {
        lock (_gate)
        {
            session.ArrivedAfter = _last;
            show();
            if (_expected.TryGetValue(session.Id, out var expected) && expected.Epoch == session.Epoch)
            {
                _expected.Remove(session.Id);
                CatchUp(session, expected.HandedOn);
            }
        }
    }

    private void CatchUp(LiveSession session, IReadOnlySet<UInt128> handedOn)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        foreach (var heard in _heard.Where(heard => now - Published(heard.Id) < Missable.TotalMilliseconds && !handedOn.Contains(heard.Id)).ToList())
            Hand(session, heard.Broadcast, heard.Id);
    }

    // In milliseconds of Unix time, the first 48 bits.
    private static long Published(UInt128 id) => (long)(id >> 80);

    private readonly record struct Heard(UInt128 Id, JsonRpcNotification Broadcast, long At);
}
