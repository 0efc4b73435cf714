using Mcp.HighAvailability.Lab.Bench.Load;

namespace Mcp.HighAvailability.Lab.Bench.Streams;

/// <summary>Many sessions with an open GET stream each, through one endpoint.</summary>
internal sealed class StreamFleet(Uri endpoint) : IDisposable
{
    /// <summary>How many are opened at the same time.</summary>
    public const int AtATime = 32;

    private readonly List<StreamListener> _listeners = [];

    public IReadOnlyList<StreamListener> Listeners => _listeners;

    /// <summary>Opens sessions at the replicas in turn, which become their owners.</summary>
    public Task OpenSessionsAsync(IReadOnlyList<Running> replicas, int count, CancellationToken cancellationToken) => EachAsync(count, async n =>
    {
        var replica = replicas[n % replicas.Count];
        using var wire = await HttpWire.ConnectAsync(replica.Endpoint, cancellationToken);
        var listener = new StreamListener(await RawSession.OpenAsync(replica.Endpoint, wire, cancellationToken), replica);
        lock (_listeners)
            _listeners.Add(listener);
    });

    /// <summary>Opens the stream of each session.</summary>
    /// <returns>How many were refused.</returns>
    public async Task<int> OpenStreamsAsync(CancellationToken cancellationToken)
    {
        var refused = 0;
        await EachAsync(_listeners.Count, async n =>
        {
            if (!await _listeners[n].OpenAsync(endpoint, cancellationToken))
                Interlocked.Increment(ref refused);
        });
        return refused;
    }

    /// <summary>Closes the streams and ends the sessions.</summary>
    public async Task EndSessionsAsync(CancellationToken cancellationToken)
    {
        foreach (var listener in _listeners)
            listener.Dispose();
        await EachAsync(_listeners.Count, n => _listeners[n].Session.EndAsync(endpoint, cancellationToken));
    }

    public void Dispose() => _listeners.ForEach(listener => listener.Dispose());

    private static async Task EachAsync(int count, Func<int, Task> step)
    {
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, AtATime).Select(async _ =>
        {
            for (int n; (n = Interlocked.Increment(ref next)) < count;)
                await step(n);
        }));
    }
}
