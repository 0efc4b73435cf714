using System.Diagnostics;

namespace McpHa.Tests;

/// <summary>
/// Orders of steps of three replicas, their store, journal and bus, with deaths, pauses, lost answers, lost connections and losses of all data in between.
/// </summary>
/// <remarks><c>EXPLORE_SEED=17 ./test Exploration</c> makes one run again; <c>EXPLORE_RUNS=50000</c> makes more of them, <c>EXPLORE_FROM</c> other ones.</remarks>
public sealed class ExplorationTests(ITestOutputHelper output)
{
    private const int Orders = 1_000;

    [Fact]
    public void No_order_of_steps_loses_or_doubles_anything()
    {
        if (Number("EXPLORE_SEED") is { } seed)
        {
            if (World.Explore(seed) is { } found)
                Assert.Fail(found);
            return;
        }

        // Every one of them is named by its seed.
        var clock = Stopwatch.StartNew();
        var (from, most) = (Number("EXPLORE_FROM") ?? 0, Number("EXPLORE_RUNS"));
        var runs = 0;
        for (; runs < (most ?? Orders); runs++)
        {
            if (World.Explore(from + runs) is { } violation)
                Assert.Fail(violation);
        }

        output.WriteLine($"{runs} orders, seeds {from} to {from + runs - 1}, in {clock.Elapsed.TotalSeconds:0} s");
    }

    [Theory]
    [InlineData("Fence")]
    [InlineData("DuplicateRecognition")]
    [InlineData("RerunPolicy")]
    [InlineData("ProgressRecognition")]
    [InlineData("QuestionRecognition")]
    [InlineData("StateCommit")]
    [InlineData("WrittenAnswers")]
    [InlineData("WrittenStart")]
    [InlineData("WrittenProgress")]
    [InlineData("WrittenQuestions")]
    [InlineData("WrittenState")]
    [InlineData("WrittenOnce")]
    public void Without_a_safeguard_an_order_is_found_that_breaks_the_promise(string safeguard) => Assert.True(IsFound(safeguard, 2_000, mayLose: false));

    [Theory]
    [InlineData("WriteBack")]
    [InlineData("WriteBackCalls")]
    [InlineData("WriteBackFence")]
    [InlineData("WriteBackJournal")]
    [InlineData("WriteBackState")]
    [InlineData("WriteBackWait")]
    public void Without_a_safeguard_of_the_write_back_an_order_is_found_in_which_the_store_has_lost_everything(string safeguard)
    {
        Assert.False(IsFound(safeguard, 20, mayLose: false), "It was found although the store has lost nothing.");
        Assert.True(IsFound(safeguard, 2_000, mayLose: true));
    }

    private bool IsFound(string safeguard, int orders, bool mayLose)
    {
        for (var seed = 0; seed < orders; seed++)
        {
            if (World.Explore(seed, safeguard, mayLose) is { } violation)
            {
                output.WriteLine($"Found by {violation}");
                return true;
            }
        }

        output.WriteLine($"{orders} orders without {safeguard}, and nothing was found.");
        return false;
    }

    private static int? Number(string variable) => int.TryParse(Environment.GetEnvironmentVariable(variable), out var number) ? number : null;
}
