namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>Calls per second of one subject as a share of those of another, in the same round; the median of all rounds.</summary>
internal sealed record Ratio(string Name, int Connections, double Median, double Low, double High)
{
    private static readonly (string Above, string Below)[] Pairs = [("b", "a"), ("c", "b"), ("c", "n"), ("t", "c"), ("o", "c"), ("d", "b"), ("e", "c"), ("e3", "c"), ("e", "b")];

    public static IReadOnlyList<Ratio> Of(IReadOnlyList<SubjectReport> load)
    {
        var reports = load.ToDictionary(subject => subject.Key);
        return
        [
            .. from pair in Pairs
               where reports.ContainsKey(pair.Above) && reports.ContainsKey(pair.Below)
               from connections in reports[pair.Above].Connections.Keys
               select Of(pair.Above, pair.Below, connections, reports[pair.Above].Connections[connections], reports[pair.Below].Connections[connections]),
        ];
    }

    private static Ratio Of(string above, string below, int connections, LoadReport first, LoadReport second)
    {
        var shares = first.Turns.Zip(second.Turns, (one, other) => one.CallsPerSecond / other.CallsPerSecond).ToArray();
        return new($"{above}/{below}", connections, Figures.Median(shares), shares.Min(), shares.Max());
    }
}
