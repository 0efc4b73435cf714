using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

public sealed class StreamSubscriptionTests
{
    [Fact]
    public async Task A_reader_is_woken_for_everything_that_is_posted_and_for_the_end()
    {
        for (var round = 0; round < 200; round++)
        {
            var stream = new EventStream("c1x1");
            var reader = stream.Attach();
            const int count = 200;
            var posting = Task.Run(() =>
            {
                for (var n = 1; n <= count; n++)
                    stream.Publish(Entry(n));
                stream.Complete();
            });
            List<long> got = [];
            while (await reader.ReadAsync(CancellationToken.None).AsTask().WaitAsync(Wait.Limit) is { Kind: not StreamItemKind.Completed } item)
                got.Add(item.Entry!.Position);
            await posting;

            Assert.Equal(Enumerable.Range(1, count).Select(n => (long)n), got);
        }
    }

    [Fact]
    public async Task A_backlog_is_bounded_by_count_and_by_bytes_and_ends_in_a_catch_up()
    {
        foreach (var (count, size) in new[] { (1_000, 1), (20, 100_000) })
        {
            var stream = new EventStream("c1x1");
            var reader = stream.Attach();
            for (var n = 1; n <= count; n++)
                stream.Publish(Entry(n, size));
            stream.Complete();

            Assert.Equal(StreamItemKind.CatchUp, (await reader.ReadAsync(default)).Kind);
            stream.Publish(Entry(count + 1));
            Assert.Equal(count + 1, (await reader.ReadAsync(default)).Entry!.Position);
            Assert.Equal(StreamItemKind.Completed, (await reader.ReadAsync(default)).Kind);
        }
    }

    [Fact]
    public async Task After_a_move_nothing_comes_of_what_was_posted_before()
    {
        var stream = new EventStream("g1x1");
        var reader = stream.Attach();
        stream.Publish(Entry(1));
        stream.Move();
        stream.Publish(Entry(2));

        for (var n = 0; n < 3; n++)
            Assert.Equal(StreamItemKind.Moved, (await reader.ReadAsync(default)).Kind);
        Assert.Equal(StreamItemKind.Moved, (await stream.Attach().ReadAsync(default)).Kind);
    }

    [Fact]
    public async Task A_reader_that_gives_up_can_read_on_later()
    {
        var stream = new EventStream("c1x1");
        var reader = stream.Attach();
        using var gone = new CancellationTokenSource();
        var reading = reader.ReadAsync(gone.Token);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await reading);

        stream.Publish(Entry(1));

        Assert.Equal(1, (await reader.ReadAsync(default)).Entry!.Position);
    }

    private static JournalEntry Entry(long position, int size = 1) =>
        new() { Position = position, Stream = "c1x1", Payload = new byte[size], Time = default };
}
