using FsCheck;
using FsCheck.Fluent;

namespace McpHa.Tests.Chaos;

/// <summary>The checker on random histories.</summary>
[Trait("Category", "Quick")]
public sealed class CheckerProperties
{
    [Fact]
    public void Every_history_of_a_server_that_keeps_its_promise_passes() =>
        Prop.ForAll<int, bool>((seed, withFaults) =>
        {
            var found = RandomRun.Tell(seed, 120, withFaults).Check().Violations;
            Assert.Empty(found.Select(violation => $"{violation.Kind}: {violation.Text}"));
        }).CheckSeeded();

    [Fact]
    public void One_corruption_of_it_is_found() =>
        Prop.ForAll<int, int, bool>((seed, where, withFaults) =>
        {
            var story = RandomRun.Tell(seed, 120, withFaults);
            var way = Corruption.Apply(story, where);
            Assert.True(story.Check().Violations.Count > 0, $"corruption {way} was not found");
        }).CheckSeeded();
}
