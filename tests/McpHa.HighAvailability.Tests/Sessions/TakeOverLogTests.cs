using System.Globalization;
using System.Text.RegularExpressions;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests.Sessions;

/// <summary>What happens to many sessions at once is one line in the log.</summary>
public sealed partial class TakeOverLogTests
{
    private readonly LogLines _lines = new();
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task A_thousand_take_overs_from_one_replica_are_one_line()
    {
        var log = new TakeOverLog(_time, _lines);
        for (var n = 0; n < 1_000; n++)
            log.Add($"s{n}", 2, "replica-a", TakeOverReasons.OwnerLost, TimeSpan.FromMilliseconds(n % 50), rerun: n % 2, refused: 0);
        log.Add("s", 2, "", TakeOverReasons.HandedOver, TimeSpan.FromMilliseconds(3), 0, 0);

        await WrittenAsync(2);
        Assert.Contains(_lines.All, line => line.StartsWith("Took over from replica-a (owner-lost). Sessions: 1000, within 0.", StringComparison.Ordinal)
            && line.EndsWith("Longest take-over: 49 ms. Calls rerun: 500, refused: 0.", StringComparison.Ordinal));
        Assert.Contains(_lines.All, line => line.StartsWith("Took over from no owner (handed-over). Sessions: 1,", StringComparison.Ordinal));
        Assert.Equal(2, _lines.All.Count);
    }

    [Fact]
    public async Task A_take_over_every_five_seconds_is_a_line_every_ten_minutes()
    {
        var log = new TakeOverLog(_time, _lines);
        for (var n = 0; n < 1_000; n++)
        {
            log.Add($"s{n}", 2, "replica-a", TakeOverReasons.OwnerLost, TimeSpan.FromMilliseconds(3), 0, 0);
            if (n == 0)
                await WrittenAsync(1);
            _time.Advance(TimeSpan.FromSeconds(5));
        }

        await WrittenAsync(1_000, Sum, TimeSpan.FromMinutes(1));

        // 83 minutes: the first line, one after a minute, then every ten.
        Assert.InRange(_lines.All.Count, 3, 12);
        Assert.StartsWith("Took over from replica-a (owner-lost). Sessions: 1, within 0.0 s.", _lines.All[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_that_is_away_is_one_line_for_all_sessions_with_the_first_reason()
    {
        var log = new CommitLog(_time, _lines);
        for (var n = 0; n < 500; n++)
            log.Add(Record(n), CommitTrouble.Waits, n == 0 ? "Redis cannot be reached." : "Redis is still away.");
        log.Add(Record(500), CommitTrouble.Missing);
        log.Add(Record(501), CommitTrouble.Fenced);

        await WrittenAsync(3);
        Assert.Equal(
            [
                "Fenced: another replica owns sessions that this replica served. Their local copies end. Sessions: 1.",
                "The store has lost sessions of this replica. They are written back. Sessions: 1.",
                "Writes wait for the store: Redis cannot be reached. Sessions: 500.",
            ],
            _lines.All.Order());
    }

    private Task WrittenAsync(int lines) => WrittenAsync(lines, () => _lines.All.Count, TimeSpan.FromSeconds(1));

    private Task WrittenAsync(int expected, Func<int> written, TimeSpan step) => Wait.UntilAsync(
        () =>
        {
            _time.Advance(step);
            return written() >= expected;
        },
        $"{expected} lines or sessions");

    private int Sum() => _lines.All.Sum(line => int.Parse(SessionCount().Match(line).Groups[1].ValueSpan, CultureInfo.InvariantCulture));

    [GeneratedRegex("Sessions: ([0-9]+),")]
    private static partial Regex SessionCount();

    private static SessionRecord Record(int number) =>
        new() { Id = $"s{number}", Owner = "a", Epoch = 1, ProtocolVersion = "2025-11-25", Created = DateTimeOffset.UnixEpoch };
}
