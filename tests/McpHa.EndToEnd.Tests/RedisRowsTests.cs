using System.Collections.Concurrent;
using System.Diagnostics;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>Redis stands still, or dies together with all replicas and comes back with its data.</summary>
[Collection(ClusterCollection.Name)] // after the others, and not beside them
public sealed class RedisRowsTests
{
    [Fact]
    public async Task All_replicas_die_and_what_was_not_delivered_is_there()
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        await using var redis = new Disposing<RedisServer>(new RedisServer("--appendonly", "yes"));
        await redis.Value.InitializeAsync();
        await using var cluster = await LabCluster.StartAsync(new() { Redis = redis.Value.Address });
        using var listener = new RawClient(cluster.Endpoint);
        await listener.InitializeAsync();
        await listener.CallAsync("note", "notes_add", new { text = "kept" });
        using var announcer = new RawClient(cluster.Endpoint);
        await announcer.InitializeAsync();

        string last;
        using (var stream = await listener.GetAsync())
        {
            await stream.EventAsync(e => e.Id is not null, "the stream to begin");
            await AnnounceAsync("1", "2");
            await stream.EventAsync(e => e.Announcement == "2", "the announcements before");
            last = stream.LastEventId;
        }

        string[] missed = ["missed-3", "missed-4", "missed-5", "missed-6", "missed-7"];
        await AnnounceAsync(missed);

        var log = await RedisCommand.SendAsync(redis.Value.Port, "LRANGE mcp-ha:lab:{broadcasts}:entries 0 -1");
        Assert.All(missed, text => Assert.Contains(text, log, StringComparison.Ordinal));

        foreach (var replica in cluster.State.Replicas)
            Processes.Send(replica.Pid, Processes.SigKill);
        await redis.Value.KillAsync();
        await redis.Value.StartAsync();

        // Held until there is a replica again.
        using var resumed = await listener.GetAsync(last).WaitAsync(Wait.Limit);
        await resumed.EventAsync(e => e.Announcement == missed[^1], "what was announced meanwhile");
        await AnnounceAsync("after");
        await resumed.EventAsync(e => e.Announcement == "after", "a new announcement");
        Assert.Equal([.. missed, "after"], resumed.Events.Where(e => e.Announcement is not null).Select(e => e.Announcement!));
        var notes = await listener.CallAsync("notes", "notes_list");
        Assert.Equal(["kept"], notes["result"]!["structuredContent"]!["notes"]!.AsArray().Select(note => (string?)note));

        async Task AnnounceAsync(params string[] texts)
        {
            foreach (var text in texts)
                Assert.Null((await announcer.CallAsync($"announce-{text}", "announce", new { text }).WaitAsync(Wait.Limit))["error"]);
        }
    }

    [Fact]
    public async Task Redis_stands_still_for_10_seconds_and_nothing_is_lost()
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        const int enough = 20;
        await using var cluster = await LabCluster.StartAsync();
        var before = cluster.State;
        List<Writer> writers = [];
        try
        {
            for (var number = 0; number < 4; number++)
                writers.Add(new(await CSharpClient.ConnectAsync(cluster.Endpoint, session: null)));
            await AllWriteAsync();

            Processes.Send(before.Redis!.Pid!.Value, Processes.SigStop);
            try
            {
                // Not a wait for anything: it is how long the fault lasts.
                await Task.Delay(TimeSpan.FromSeconds(10));
            }
            finally
            {
                Processes.Send(before.Redis.Pid.Value, Processes.SigCont);
            }

            await AllWriteAsync();
            foreach (var writer in writers)
                await writer.StopAsync().WaitAsync(Wait.Limit);
            Assert.Equal(before.Replicas, cluster.State.Replicas);
            Assert.All(before.Replicas, replica => Assert.True(Processes.IsAlive(replica.Pid), $"{replica.Id} is dead"));
            Assert.All(before.Replicas, replica => Assert.InRange(MegabytesOf(replica.Pid), 1, 400));
            await AssertAllAsync();

            foreach (var replica in before.Replicas)
                await cluster.KillAndReplaceAsync(replica.Id);
            await AssertAllAsync();
        }
        finally
        {
            foreach (var writer in writers)
                await writer.DisposeAsync();
        }

        async Task AllWriteAsync()
        {
            var counts = writers.Select(writer => writer.Acknowledged.Count).ToArray();
            await Wait.UntilAsync(
                () => writers.Zip(counts).All(w => w.First.IsFaulted || w.First.Acknowledged.Count >= w.Second + enough), "all sessions to write");
        }

        async Task AssertAllAsync()
        {
            foreach (var writer in writers)
                await writer.AssertStateAsync();
        }
    }

    private static long MegabytesOf(int processId)
    {
        using var process = Process.GetProcessById(processId);
        return process.WorkingSet64 >> 20;
    }

    /// <summary>A session that adds a note and counts, time and again.</summary>
    private sealed class Writer : IAsyncDisposable
    {
        private readonly TestClient _client;
        private readonly CancellationTokenSource _stopping = new();
        private readonly Task _writing;

        public Writer(TestClient client)
        {
            _client = client;
            _writing = WriteAsync();
        }

        /// <summary>Notes whose call was answered.</summary>
        public ConcurrentQueue<string> Acknowledged { get; } = new();

        public bool IsFaulted => _writing.IsFaulted;

        /// <summary>Ends it after the call under way; fails if one has failed.</summary>
        public async Task StopAsync()
        {
            await _stopping.CancelAsync();
            await _writing;
        }

        public async Task AssertStateAsync()
        {
            var notes = (await _client.AskAsync("notes_list"))["notes"]!.AsArray();
            Assert.Equal(Acknowledged, notes.Select(note => (string)note!));
        }

        public async ValueTask DisposeAsync()
        {
            await _stopping.CancelAsync();
            await _writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _client.DisposeAsync();
            _stopping.Dispose();
        }

        private async Task WriteAsync()
        {
            // A small load: every note is returned with all those before it.
            using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
            for (var number = 1; !_stopping.IsCancellationRequested; number++)
            {
                await pace.WaitForNextTickAsync();
                await _client.CallAsync("notes_add", new { text = $"{number}" });
                Acknowledged.Enqueue($"{number}");
                Assert.Equal(number, (long)(await _client.AskAsync("counter_increment"))["value"]!);
            }
        }
    }

    /// <summary>xunit's lifetime as a resource of one test.</summary>
    private sealed record Disposing<T>(T Value) : IAsyncDisposable
        where T : IAsyncLifetime
    {
        public async ValueTask DisposeAsync() => await Value.DisposeAsync();
    }
}
