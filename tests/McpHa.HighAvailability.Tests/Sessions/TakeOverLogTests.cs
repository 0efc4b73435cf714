using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace McpHa.Tests.Sessions;

/// <summary>A lost replica with many sessions is one line in the log.</summary>
public sealed class TakeOverLogTests
{
    [Fact]
    public async Task A_thousand_take_overs_from_one_replica_are_one_line()
    {
        var lines = new Lines();
        var log = new TakeOverLog(TimeProvider.System, lines);
        for (var n = 0; n < 1_000; n++)
            log.Add($"s{n}", 2, "replica-a", TakeOverReasons.OwnerLost, TimeSpan.FromMilliseconds(n % 50), rerun: n % 2, refused: 0);
        log.Add("s", 2, "", TakeOverReasons.HandedOver, TimeSpan.FromMilliseconds(3), 0, 0);

        await Wait.UntilAsync(() => lines.Count >= 2, "both lines");
        Assert.Contains(lines.All, line => line.StartsWith("Took over from replica-a (owner-lost). Sessions: 1000, within 0.", StringComparison.Ordinal)
            && line.EndsWith("Longest take-over: 49 ms. Calls rerun: 500, refused: 0.", StringComparison.Ordinal));
        Assert.Contains(lines.All, line => line.StartsWith("Took over from no owner (handed-over). Sessions: 1,", StringComparison.Ordinal));
        Assert.Equal(2, lines.Count);
    }

    private sealed class Lines : ILogger
    {
        private readonly List<string> _lines = [];

        public int Count
        {
            get
            {
                lock (_lines)
                    return _lines.Count;
            }
        }

        public IReadOnlyList<string> All
        {
            get
            {
                lock (_lines)
                    return [.. _lines];
            }
        }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
                return;
            lock (_lines)
                _lines.Add(formatter(state, exception));
        }
    }
}
