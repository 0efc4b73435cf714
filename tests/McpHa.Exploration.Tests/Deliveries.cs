using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary>Broadcasts and notices of gaps that the client has got, in order.</summary>
/// <remarks>
/// Invariant: a broadcast comes once and in order, or its client is told of a gap at its place. It may be missing only if a living replica had not heard of
/// it when the store lost it. The gap may stay silent only if the replica that published next had not heard of it either: the log goes on behind what that
/// one knows.
/// </remarks>
internal sealed class Deliveries(Announcer announcer)
{
    private const int Gap = 0;

    private readonly List<int> _got = [];
    private readonly HashSet<int> _scarce = [];
    private readonly HashSet<int> _untold = [];
    private bool _isLogEmpty;

    /// <summary>The client has got a broadcast, or was told of a gap.</summary>
    /// <returns>What is wrong with it; <see langword="null"/>: nothing.</returns>
    public string? Hear(string position, JsonNode message, bool mayLack)
    {
        var isNumber = message["params"]!["data"]!.AsValue().TryGetValue(out int number);
        _got.Add(isNumber ? number : Gap);
        if (!isNumber)
            return mayLack ? null : $"The client was told of a gap where there is none: {message.ToJsonString()}";
        return announcer.Holds(position, number) ? null : $"Broadcast {number} came at position {position}, where the log does not have it.";
    }

    /// <summary>The store has lost its log.</summary>
    public void Lost(IReadOnlyCollection<ExploredReplica> living)
    {
        announcer.Lost();
        for (var number = 1; number <= announcer.Count; number++)
        {
            if (!living.All(r => announcer.IsKnown(number, r)))
                _scarce.Add(number);
        }

        _isLogEmpty = true;
    }

    /// <summary>A replica is about to publish.</summary>
    public void Publishes(ExploredReplica publisher)
    {
        if (_isLogEmpty)
            _untold.UnionWith(_scarce.Where(number => !announcer.IsKnown(number, publisher)));
        _isLogEmpty = false;
    }

    /// <summary>Whether nothing more has to come.</summary>
    public bool IsComplete => Enumerable.Range(1, announcer.Count).All(number => _got.Contains(number) || _scarce.Contains(number) && IsPassed(number));

    public override string ToString() => string.Join(",", _got.Select(number => number == Gap ? "gap" : $"{number}"));

    /// <summary>What is wrong with it.</summary>
    public IEnumerable<string> Violations(bool mayLack)
    {
        var numbers = _got.Where(number => number != Gap).ToList();
        if (numbers.Distinct().Count() != numbers.Count)
            yield return $"Broadcasts came twice: {this}.";
        if (!numbers.SequenceEqual(numbers.Order()))
            yield return $"Broadcasts came out of order: {this}.";
        if (mayLack)
            yield break;
        foreach (var missing in Enumerable.Range(1, announcer.Count).Except(numbers).Except(_untold))
        {
            var (before, behind) = (_got.FindLastIndex(number => number != Gap && number < missing), _got.FindIndex(number => number > missing));
            if (behind < 0 || !_got[(before + 1)..behind].Contains(Gap))
                yield return $"Broadcast {missing} is missing, and the client was not told: {this}.";
        }
    }

    // A gap is told with the next broadcast.
    private bool IsPassed(int number) => _got.Exists(other => other > number);
}
