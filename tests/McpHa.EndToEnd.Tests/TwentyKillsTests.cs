using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>One owner after the other is killed while calls change the session's state.</summary>
public sealed class TwentyKillsTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    private const int Increments = 3;

    [Theory]
    [InlineData(ClientKind.TypeScript, Explicit = true)]
    [InlineData(ClientKind.CSharp)]
    public Task Notes_and_counter_are_exact_after_twenty_kills_in_a_row(ClientKind kind) => KillAsync(kind, Access.Balancer, 20);

    // The client's own resume takes a second each time.
    [Theory]
    [InlineData(ClientKind.TypeScript)]
    [InlineData(ClientKind.CSharp, Explicit = true)]
    public Task Notes_and_counter_are_exact_after_five_kills_in_a_row_behind_nginx(ClientKind kind) => KillAsync(kind, Access.Nginx, 5);

    private async Task KillAsync(ClientKind kind, Access access, int kills)
    {
        await using var client = await ConnectAsync(kind, access);
        List<string> notes = [];
        List<long> counts = [];
        var owner = await OwnerOf(client);
        for (var kill = 1; kill <= kills; kill++)
        {
            var note = client.Call("notes_add", new { text = $"note {kill}" });
            var increments = Enumerable.Range(0, Increments).Select(_ => client.Call("counter_increment")).ToArray();
            var countdown = client.Call("countdown", new { seconds = 0.2, intervalMs = 50 });

            // Now and then the owner dies with some of the calls done, and some under way.
            if (kill % 2 == 0)
                await Wait.UntilAsync(() => countdown.Progress.Count > 0, "the countdown to run");
            owner.Kill();

            notes.Add($"note {kill}");
            var listed = (await note.Answer.WaitAsync(Limit)).Structured!["notes"]!.AsArray().Select(n => (string)n!);
            Assert.Equal(notes, listed);
            foreach (var increment in increments)
                counts.Add((long)(await increment.Answer.WaitAsync(Limit)).Structured!["value"]!);
            Assert.Equal("liftoff", (await countdown.Answer.WaitAsync(Limit)).Text);
            var successor = await OwnerOf(client);
            Assert.Equal(owner.Epoch + 1, successor.Epoch);
            owner = successor;

            // Kills come faster than replicas come back, but never so fast that none is left. nginx leaves out one that is back for
            // another second or two.
            var enough = access == Access.Nginx ? 4 : 2;
            await Cluster.WaitForAsync(state => state.Replicas.Count(r => Processes.IsUp(r.Pid)) >= enough, "other replicas to be up");
        }

        Assert.Equal(Enumerable.Range(1, kills * Increments).Select(count => (long)count), counts.Order());
        AssertNoTrouble(client, access);
        Assert.Equal(notes, (await client.AskAsync("notes_list"))["notes"]!.AsArray().Select(n => (string)n!));
    }
}
