namespace Mcp.HighAvailability.Lab.Chaos.Faults;

/// <summary>Gives its contents in random order, all of them before any comes again: even a short run has some of everything.</summary>
internal sealed class Bag<T>(IReadOnlyList<T> contents, Random random)
{
    private readonly Queue<T> _left = [];

    public T Take()
    {
        if (_left.Count == 0)
        {
            var shuffled = contents.ToArray();
            random.Shuffle(shuffled);
            foreach (var item in shuffled)
                _left.Enqueue(item);
        }

        return _left.Dequeue();
    }
}
