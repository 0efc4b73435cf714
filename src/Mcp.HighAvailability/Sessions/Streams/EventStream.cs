using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>One logical HTTP stream of a session, and the connections that read it now.</summary>
/// <remarks>
/// A stream that answers a call is sent to every attached request (a repeated request attaches too). Of a GET stream only the
/// connection that came last gets messages: an older one is a connection that the client has given up, and is left to die.
/// </remarks>
/// <param name="id">Its name.</param>
/// <param name="carrier">The session's one stream, if it has one: everything that is sent on this one goes there.</param>
internal sealed class EventStream(string id, EventStream? carrier = null)
{
    private readonly Lock _gate = new();
    private StreamSubscription[] _readers = [];
    private bool _primed;
    private bool _completed;
    private bool _moved;

    public string Id { get; } = id;

    /// <summary>Position of the last entry on this stream; changed by steps alone.</summary>
    public long LastPosition { get; set; }

    /// <summary>The stream whose readers get what is sent on this one, and whose order counts: itself, unless it has a carrier.</summary>
    public EventStream Carrier => carrier ?? this;

    public bool HasReader => Volatile.Read(ref _readers).Length > 0;

    public int ReaderCount => Volatile.Read(ref _readers).Length;

    /// <summary>The connection that came last.</summary>
    public StreamSubscription? Newest => Volatile.Read(ref _readers) is [.., var newest] ? newest : null;

    private bool ToAll => Id[0] == SseEventId.CallStream;

    public StreamSubscription Attach()
    {
        var reader = new StreamSubscription { Stream = this };
        lock (_gate)
        {
            _readers = [.. _readers, reader];
            if (_primed)
                reader.Prime();
            if (_completed)
                reader.Complete();
            if (_moved)
                reader.Move();
        }

        return reader;
    }

    public void Detach(StreamSubscription reader)
    {
        StreamSubscription? next = null;
        lock (_gate)
        {
            var wasNewest = _readers.Length > 1 && _readers[^1] == reader;
            _readers = _readers.Length == 1 && _readers[0] == reader ? [] : [.. _readers.Where(r => r != reader)];
            if (wasNewest && !ToAll)
                next = _readers[^1];
        }

        // Requests that wait for a take-over are served in any order, so the connection that came last may be the one that the client had
        // given up. What went to it is read again for the one that is left.
        next?.StartWithCatchUp();
    }

    public void Publish(JournalEntry entry)
    {
        if (carrier is not null)
        {
            carrier.Publish(entry);
            return;
        }

        var readers = Volatile.Read(ref _readers);
        if (ToAll)
        {
            foreach (var reader in readers)
                reader.Post(entry);
        }
        else if (readers.Length > 0)
        {
            readers[^1].Post(entry);
        }
    }

    /// <summary>The stream is known to the store: a client that loses the connection can resume it.</summary>
    public void Prime()
    {
        StreamSubscription[] readers;
        lock (_gate)
        {
            _primed = true;
            readers = _readers;
        }

        foreach (var reader in readers)
            reader.Prime();
    }

    /// <summary>Ends the connections that read now, in good order, and has their clients come back; others may follow.</summary>
    public void Poll(TimeSpan retry)
    {
        foreach (var reader in Volatile.Read(ref _readers))
            reader.Poll(retry);
    }

    /// <summary>Tells the connections that read now that the answer has waited for the store too long.</summary>
    public void Overdue()
    {
        foreach (var reader in Volatile.Read(ref _readers))
            reader.Overdue();
    }

    public void Complete()
    {
        StreamSubscription[] readers;
        lock (_gate)
        {
            _completed = true;
            readers = _readers;
        }

        foreach (var reader in readers)
            reader.Complete();
    }

    /// <summary>Ends the connections that read now, without another byte; others may follow.</summary>
    public void Cut()
    {
        foreach (var reader in Volatile.Read(ref _readers))
            reader.Move();
    }

    /// <summary>Ends all connections without another byte: another replica owns the session.</summary>
    public void Move()
    {
        StreamSubscription[] readers;
        lock (_gate)
        {
            _moved = true;
            readers = _readers;
        }

        foreach (var reader in readers)
            reader.Move();
    }
}
