using System.Collections.Concurrent;
using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests.Fuzz;

/// <summary>
/// Whatever is sent to a live cluster, balancer and replicas alike: a proper status or a closed connection, no unhandled exception, no growth, and a session beside
/// it that loses nothing. <c>FUZZ_SEED</c> chooses other cases.
/// </summary>
[Collection(ClusterCollection.Name)] // not beside the others: it takes the whole machine
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const string Secret = "of-the-control-session-alone";
    private const int Slice = 2_000;
    private const int Workers = 16;

    private static readonly int Seed = int.TryParse(Environment.GetEnvironmentVariable("FUZZ_SEED"), CultureInfo.InvariantCulture, out var seed) ? seed : 20_261_122;

    [Theory]
    [InlineData(2_000)]
    [InlineData(50_000, Explicit = true)]
    public async Task Nothing_that_can_be_sent_breaks_the_cluster_or_reaches_another_session(int cases)
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        await using var cluster = await LabCluster.StartAsync(new()
        {
            Restart = false,
            Environment = new Dictionary<string, string?> { ["HighAvailability__Sessions__IdleTimeout"] = "00:10:00", ["HighAvailability__KeepAlive"] = "00:00:05", ["HighAvailability__EnableLegacySse"] = "true" },
        });
        var pids = cluster.State.Replicas.Select(r => r.Pid).ToArray();
        var ports = cluster.State.Replicas.Select(r => r.Url.Port).Prepend(cluster.Port).Prepend(cluster.Port).ToArray();

        using var control = new RawClient(cluster.Endpoint);
        await control.InitializeAsync();
        using var legacy = new RawClient(new Uri(cluster.Endpoint, "/mcp/sse"));
        using var stream = await legacy.GetAsync();
        var address = (await stream.EventAsync(e => e.Endpoint is not null, "the address of HTTP+SSE")).Endpoint!;
        var target = new FuzzTarget(await SessionsAsync(cluster, 12), address, await EventIdsAsync(control));
        using var over = new CancellationTokenSource();
        var counting = CountAsync(control, over.Token);

        await RunAsync(ports, Corpus.All(target).SelectMany(c => ports.Distinct().Select(_ => c)));
        var corpus = _sent;
        var memory = 0L;
        for (var round = 0; _sent - corpus < cases; round++)
        {
            var count = Math.Min(Slice, cases - (_sent - corpus));
            var gen = Gen.Choose(0, 1 << 20).SelectMany(kind => Gen.Choose(0, int.MaxValue).Select(seed => new CaseBuilder(target, new Random(seed)).Build(kind)));
            await RunAsync(ports, Gen.Sample(gen, 50, new Rnd((ulong)Seed, (ulong)(2 * round + 1)), count));
            if (_sent - corpus >= cases / 4 && memory == 0)
                memory = pids.Sum(ResidentMegabytes);
        }

        await over.CancelAsync();
        var counted = await counting;
        var grown = pids.Sum(ResidentMegabytes) - memory;
        output.WriteLine($"{corpus} cases of the corpus, {_sent - corpus} made up (seed {Seed}), {counted} calls of the control session beside them; memory of the replicas {memory} MB and {grown:+0;-0} MB.");
        foreach (var (status, count) in _answers.OrderBy(a => a.Key))
            output.WriteLine($"  {(status == 0 ? "closed" : $"{status}")}: {count}");

        Assert.True(_wrong.IsEmpty, $"{_wrong.Count} answers are wrong, the first of them:\n{string.Join("\n\n", _wrong.Take(30))}\n{string.Join('\n', UnhandledExceptions(cluster.Folder).Take(20))}");
        Assert.True(counted > 10, $"the control session counted only to {counted}");
        Assert.All(pids, pid => Assert.True(Processes.IsAlive(pid), $"replica {pid} has died"));
        Assert.Empty(UnhandledExceptions(cluster.Folder).Take(20));
        Assert.True(grown < 200, $"the replicas grew by {grown} MB");
    }

    private readonly ConcurrentQueue<string> _wrong = new();
    private readonly ConcurrentDictionary<int, int> _answers = new();
    private int _sent;

    private async Task RunAsync(int[] ports, IEnumerable<FuzzCase> cases)
    {
        var queue = new ConcurrentQueue<FuzzCase>(cases);
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(async () =>
        {
            using var connection = new RawConnection(ports[worker % ports.Length]);
            while (queue.TryDequeue(out var next))
            {
                try
                {
                    var answers = await connection.SendAsync(next);
                    foreach (var (status, text) in answers.DefaultIfEmpty((0, "")))
                    {
                        _answers.AddOrUpdate(status, 1, static (_, n) => n + 1);
                        if (status is not 0 and (< 200 or > 499) and not 501 and not 505 || text.Contains(Secret, StringComparison.Ordinal))
                            _wrong.Enqueue($"{status} {text} for {next}");
                    }
                }
                catch (Exception e)
                {
                    _wrong.Enqueue($"{e.Message} for {next}");
                }

                Interlocked.Increment(ref _sent);
            }
        })));
    }

    // Counts by itself beside everything else: each call is answered, once, with the next number.
    private static async Task<int> CountAsync(RawClient control, CancellationToken over)
    {
        var count = 0;
        while (!over.IsCancellationRequested)
        {
            count++;
            var answer = await control.CallAsync($"control-{count}", "counter_increment");
            Assert.Equal(count, (int)answer["result"]!["structuredContent"]!["value"]!);
        }

        return count;
    }

    private static async Task<List<string>> SessionsAsync(LabCluster cluster, int count)
    {
        List<string> sessions = [];
        while (sessions.Count < count)
        {
            using var client = new RawClient(cluster.Endpoint);
            sessions.Add(await client.InitializeAsync());
        }

        return sessions;
    }

    private static async Task<List<string>> EventIdsAsync(RawClient control)
    {
        using var notes = await control.PostAsync(RawClient.ToolCall("note", "notes_add", new { text = Secret }));
        await notes.AnswerAsync();
        using var countdown = await control.PostAsync(RawClient.ToolCall("steps", "countdown", new { seconds = 1, intervalMs = 200 }, Secret));
        await countdown.Read();
        return [.. countdown.Events.Select(e => e.Id).OfType<string>()];
    }

    private static IEnumerable<string> UnhandledExceptions(string folder) => Directory.GetFiles(Path.Combine(folder, ".lab", "logs"))
        .SelectMany(File.ReadLines)
        .Where(line => line.Contains("unhandled exception was thrown by the application", StringComparison.Ordinal) || line.StartsWith("Unhandled exception", StringComparison.Ordinal));

    // Told by Linux only.
    private static long ResidentMegabytes(int pid) => !OperatingSystem.IsLinux() ? 0 : File.ReadLines($"/proc/{pid}/status")
        .Where(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))
        .Select(line => long.Parse(line.AsSpan(6).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) / 1024).Single();
}
