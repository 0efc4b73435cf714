using System.Text;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace McpHa.Tests;

/// <summary>A replica follows the log, whatever happens to pushes and to the store.</summary>
public sealed class BroadcastFollowerTests : IDisposable
{
    private readonly CutOffEventBus _bus = new(new InMemoryEventBus(NullLogger<InMemoryEventBus>.Instance));
    private readonly InMemoryBroadcastLog _log;
    private readonly BroadcastOptions _options = new() { MaxEntries = 8 };
    private readonly BroadcastFollower _follower;

    public BroadcastFollowerTests()
    {
        _log = new(_bus, Options.Create(_options), TimeProvider.System);
        _follower = Follower();
    }

    public void Dispose() => _follower.Dispose();

    [Fact]
    public async Task What_is_pushed_is_heard_and_a_missing_number_is_read()
    {
        await _follower.StartAsync(default);
        await AppendAsync("1");
        await HeardAsync("1");

        _bus.Cut = true;
        await AppendAsync("2", "3");
        _bus.Cut = false;
        await AppendAsync("4");

        await HeardAsync("1", "2", "3", "4");
        Assert.DoesNotContain(Followed(), broadcast => broadcast.AfterGap);
    }

    [Fact]
    public async Task A_push_that_was_the_last_one_and_got_lost_is_read_at_the_next_look()
    {
        _options.ReadInterval = TimeSpan.FromMilliseconds(50);
        await _follower.StartAsync(default);
        await AppendAsync("1");
        await HeardAsync("1");

        _bus.Cut = true;
        await AppendAsync("2");

        await HeardAsync("1", "2");
    }

    [Fact]
    public async Task A_replica_that_was_away_for_longer_than_the_retention_tells_of_the_gap_once()
    {
        await _follower.ReadAsync(default);
        await AppendAsync("1");
        await _follower.ReadAsync(default);
        for (var n = 2; n <= 20; n++)
            await AppendAsync($"{n}");

        await _follower.ReadAsync(default);

        Assert.Equal(["13", "14", "15", "16", "17", "18", "19", "20"], Texts());
        Assert.Equal(["13"], Followed().Where(broadcast => broadcast.AfterGap).Select(Text));
    }

    [Fact]
    public async Task A_position_that_is_ahead_of_this_replica_is_read()
    {
        await _follower.ReadAsync(default);
        var (one, two) = (await AppendAsync("1"), await AppendAsync("2"));

        Assert.Equal(new(2, Gap: false), await _follower.LocateAsync(two, default));
        Assert.Equal(new(1, Gap: false), await _follower.LocateAsync(one, default));
        Assert.Equal(new(0, Gap: false), await _follower.LocateAsync(BroadcastPosition.None, default));
    }

    [Fact]
    public async Task A_position_that_is_no_longer_kept_tells_of_a_gap()
    {
        await _follower.ReadAsync(default);
        List<BroadcastPosition> positions = [];
        for (var n = 1; n <= 10; n++)
            positions.Add(await AppendAsync($"{n}"));
        await _follower.ReadAsync(default);

        var gaps = await GapsAsync(positions[0], positions[1], positions[2]);
        Assert.Equal([true, false, false], gaps);
        Assert.True((await _follower.LocateAsync(BroadcastPosition.None, default)).Gap);
        Assert.True((await _follower.LocateAsync(new(positions[0].Incarnation ^ 1, 5), default)).Gap);
    }

    [Fact]
    public async Task What_a_store_has_lost_does_not_come_again_and_what_comes_then_is_new()
    {
        await _follower.StartAsync(default);
        await AppendAsync("1");
        var lost = await AppendAsync("2");
        await HeardAsync("1", "2");

        _log.LoseNewest(1);
        await AppendAsync("3");

        await HeardAsync("1", "2", "3");
        Assert.DoesNotContain(Followed(), broadcast => broadcast.AfterGap);
        Assert.Equal(new(2, Gap: false), await _follower.LocateAsync(lost, default));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task After_a_loss_of_all_data_a_gap_is_told_unless_nothing_can_be_missing(bool publisherKnows, bool gap)
    {
        await _follower.StartAsync(default);
        await AppendAsync("1");
        var two = await AppendAsync("2");
        await HeardAsync("1", "2");

        _log.Wipe();
        await _log.AppendAsync(Publication("3"), publisherKnows ? two : default);

        await HeardAsync("1", "2", "3");
        Assert.Equal([false, false, gap], Followed().Select(broadcast => broadcast.AfterGap));

        // A replica that starts now knows of nothing before it.
        using var fresh = Follower();
        Assert.Equal(gap, (await fresh.LocateAsync(two, default)).Gap);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(-1, true)]
    [InlineData(null, true)]
    public async Task Behind_a_position_of_a_log_that_is_not_known_here_only_what_came_later_is_left(int? ahead, bool gap)
    {
        await AppendAsync("before");
        await _follower.ReadAsync(default);
        // Another incarnation of the log begins and is lost. This replica never reads it. The publisher of what follows knows it, or not.
        _log.Wipe();
        var unheard = await AppendAsync("unheard", "unheard");
        _log.Wipe();
        Assert.Equal(new(1, Gap: true), await _follower.LocateAsync(unheard, default));
        await _log.AppendAsync(Publication("later"), ahead is null ? default : unheard);

        Assert.Equal(new(1, gap), await _follower.LocateAsync(unheard with { Number = unheard.Number + (ahead ?? 0) }, default));
        Assert.Equal(["before", "later"], Texts());
    }

    [Fact]
    public async Task A_replica_that_knew_an_empty_log_tells_of_what_it_has_not_heard_before_a_loss()
    {
        await _follower.ReadAsync(default);
        var one = (await _log.AppendAsync(Publication("1"), default))!.Position;
        _log.Wipe();
        await _log.AppendAsync(Publication("2"), one);

        await _follower.ReadAsync(default);

        Assert.Equal([("2", true)], Followed().Select(broadcast => (Text(broadcast), broadcast.AfterGap)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_page_that_is_older_than_an_entry_that_came_during_the_read_does_not_set_the_replica_back(bool empty)
    {
        var chain = new BroadcastChain(_options);
        Assert.True(chain.TryLoad(await _log.ReadAsync(default), default));
        if (!empty)
            chain.TryAdd((await _log.AppendAsync(Publication("1"), chain.Head))!);
        var asked = chain.Head;
        var page = await _log.ReadAsync(asked);
        var newest = (await _log.AppendAsync(Publication("2"), asked))!;
        Assert.True(chain.TryAdd(newest));

        Assert.Equal(!empty, chain.TryLoad(page, asked));

        Assert.Equal(newest.Position, chain.Head);
    }

    [Fact]
    public async Task A_page_of_a_log_that_is_lost_does_not_come_behind_what_was_appended_since()
    {
        var chain = new BroadcastChain(_options);
        chain.TryLoad(await _log.ReadAsync(default), default);
        await _log.AppendAsync(Publication("1"), default);
        var page = await _log.ReadAsync(default);
        _log.Wipe();
        chain.TryAdd((await _log.AppendAsync(Publication("2"), default))!);

        Assert.False(chain.TryLoad(page, default));
        Assert.True(chain.TryLoad(await _log.ReadAsync(chain.Head), chain.Head));

        Assert.Equal("2", Text(chain.Next(0)!));
        Assert.Equal(1, chain.Last.Ordinal);
    }

    [Fact]
    public async Task A_replica_that_has_read_the_emptied_log_appends_behind_what_it_had_heard_before()
    {
        await _follower.ReadAsync(default);
        var one = await AppendAsync("1");
        await _follower.ReadAsync(default);
        _log.Wipe();
        await _follower.ReadAsync(default);

        Assert.Equal(one, (await _log.AppendAsync(Publication("2"), _follower.Head))!.Previous);
    }

    /// <summary>Whatever is lost and in whichever order it is heard: each entry once, in the order of the log, and no silent loss.</summary>
    [Fact]
    public async Task No_order_of_pushes_reads_and_losses_doubles_reorders_or_silently_loses_anything()
    {
        for (var seed = 0; seed < 3_000; seed++)
        {
            var random = new Random(seed);
            var log = new InMemoryBroadcastLog(new InMemoryEventBus(NullLogger<InMemoryEventBus>.Instance), Options.Create(_options), TimeProvider.System);
            var chain = new BroadcastChain(_options);
            List<BroadcastEntry> appended = [];
            Dictionary<BroadcastPosition, FollowedBroadcast> heard = [];
            var onTheirWay = new Queue<BroadcastEntry>();
            var last = 0L;
            for (var step = 0; step < 60; step++)
            {
                switch (random.Next(8))
                {
                    case 0 or 1 or 2:
                        var known = random.Next(3) > 0 ? chain.Head : appended.Count > 0 ? appended[random.Next(appended.Count)].Position : default;
                        var entry = (await log.AppendAsync(Publication($"{appended.Count}"), known))!;
                        appended.Add(entry);
                        if (random.Next(4) > 0)
                            onTheirWay.Enqueue(entry);
                        break;
                    case 3 or 4 when onTheirWay.TryDequeue(out var pushed):
                        if (!chain.TryAdd(pushed))
                            chain.TryLoad(await log.ReadAsync(chain.Head), chain.Head);
                        break;
                    case 5:
                        chain.TryLoad(await log.ReadAsync(chain.Head), chain.Head);
                        break;
                    case 6 when random.Next(6) == 0:
                        log.Wipe();
                        break;
                    case 7 when random.Next(3) == 0 && (await log.ReadAsync(default)).Entries.Count > 2:
                        log.LoseNewest(1);
                        log.Restart();
                        break;
                }

                while (chain.Next(last) is { } next)
                {
                    Assert.True(heard.TryAdd(next.Entry.Position, next), $"seed {seed}: {next.Entry.Position} was heard twice.");
                    Assert.True(next.Ordinal == last + 1 || next.Ordinal == chain.First, $"seed {seed}: ordinal {next.Ordinal} follows {last}.");
                    last = next.Ordinal;
                }
            }

            Assert.True(appended.Select(entry => entry.Position).Distinct().Count() == appended.Count, $"seed {seed}: a position was given twice.");
            var order = appended.Where(entry => heard.ContainsKey(entry.Position)).ToList();
            Assert.True(order.Select(entry => heard[entry.Position].Ordinal).SequenceEqual(order.Select(entry => heard[entry.Position].Ordinal).Order()), $"seed {seed}: out of order.");
        }
    }

    private BroadcastFollower Follower() => new(_log, _bus, Options.Create(_options), TimeProvider.System, NullLogger<BroadcastFollower>.Instance);

    private async Task<BroadcastPosition> AppendAsync(params string[] texts)
    {
        var position = BroadcastPosition.None;
        foreach (var text in texts)
            position = (await _log.AppendAsync(Publication(text), _follower.Head))!.Position;
        return position;
    }

    private async Task<bool[]> GapsAsync(params BroadcastPosition[] positions)
    {
        List<bool> gaps = [];
        foreach (var position in positions)
            gaps.Add((await _follower.LocateAsync(position, default)).Gap);
        return [.. gaps];
    }

    private Task HeardAsync(params string[] texts) => Wait.UntilAsync(() => Texts().SequenceEqual(texts), string.Join(", ", texts));

    private IEnumerable<string> Texts() => Followed().Select(Text);

    private static string Text(FollowedBroadcast broadcast) => Encoding.UTF8.GetString(broadcast.Entry.Payload.Span);

    private List<FollowedBroadcast> Followed()
    {
        List<FollowedBroadcast> all = [];
        while (_follower.Next(all is [.., var last] ? last.Ordinal : 0) is { } next)
            all.Add(next);
        return all;
    }

    private static BroadcastPublication Publication(string text) =>
        new() { Kind = BroadcastKinds.Event + "test", Id = Guid.NewGuid().ToString("N"), Payload = Encoding.UTF8.GetBytes(text) };
}
