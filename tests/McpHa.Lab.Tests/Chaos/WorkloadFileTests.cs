using Mcp.HighAvailability.Lab.Chaos.Workload;
using Mcp.HighAvailability.Lab.Processes;

namespace McpHa.Tests.Chaos;

/// <summary>The workload file of a user's own server.</summary>
[Trait("Category", "Quick")]
public sealed class WorkloadFileTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();
    private readonly SessionContext _session = new(3, "session-3", new Random(1), 1);

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Placeholders_are_filled_in_arguments_text_and_pattern()
    {
        var tools = Read("""
            { "tools": [
                { "name": "greet", "arguments": { "who": ["{session}", { "n": "no {n}" }], "loud": true }, "rerun": true, "text": "hello {n}" },
                { "name": "pay", "arguments": { "reference": "{parcel}" }, "once": true, "pattern": "^paid {parcel}\\.$", "seconds": 1, "timeout": 5 }
            ] }
            """);

        var greet = tools[0].Plan(_session);
        Assert.Equal("""{"who":["session-3",{"n":"no 1"}],"loud":true}""", greet.Parameters.ToJsonString());
        Assert.Equal("hello 1", greet.Expected.Text);
        Assert.True(greet.Expected.MayRunAgain);
        Assert.False(greet.InBackground);

        var pay = tools[1].Plan(_session);
        Assert.Equal((string?)pay.Parameters["reference"], pay.Expected.Parcel);
        Assert.Matches(pay.Expected.Pattern!, $"paid {pay.Expected.Parcel}.");
        Assert.DoesNotMatch(pay.Expected.Pattern!, $"paid {pay.Expected.Parcel}!");
        Assert.Equal(TimeSpan.FromSeconds(5), pay.Timeout);
        Assert.False(pay.Expected.MayRunAgain);
        Assert.True(pay.InBackground);
    }

    [Fact]
    public void Weights_decide_how_often_a_tool_is_called()
    {
        var workload = new FileWorkload(Read("""{ "tools": [ { "name": "often", "weight": 9 }, { "name": "never", "weight": 0 }, { "name": "seldom" } ] }"""));

        var calls = Enumerable.Range(0, 1_000).Select(_ => workload.Next(_session).Name).CountBy(name => name).ToDictionary();

        Assert.Equal(["often", "seldom"], workload.Names);
        Assert.InRange(calls["often"], 850, 950);
        Assert.False(calls.ContainsKey("never"));
    }

    [Fact]
    public void The_sample_file_is_right()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "McpHa.sln")))
            folder = folder.Parent!;
        var sample = folder.GetFiles("workload.sample.json", SearchOption.AllDirectories).First(file => file.DirectoryName!.EndsWith("Chaos", StringComparison.Ordinal));

        Assert.Equal(["echo", "countdown", "deliver"], WorkloadFile.Read(sample.FullName).Select(tool => tool.Name));
    }

    [Theory]
    [InlineData("{ \"tools\": [\n { \"name\" }", "line 2: this is not JSON")]
    [InlineData("{}", "with one tool or more")]
    [InlineData("""{ "tools": [] }""", "with one tool or more")]
    [InlineData("""{ "tools": [ { "name": "a" }, { "weight": 1 } ] }""", "tools[1].name is missing")]
    [InlineData("""{ "tools": [ { "name": "a", "wieght": 1 } ] }""", "tools[0].wieght is not known; there are name,")]
    [InlineData("""{ "tools": [ { "name": "a", "weight": "much" } ] }""", "tools[0].weight must be a number")]
    [InlineData("""{ "tools": [ { "name": "a", "weight": -1 } ] }""", "tools[0].weight must be a number")]
    [InlineData("""{ "tools": [ { "name": "a", "weight": 0 } ] }""", "give one more than 0")]
    [InlineData("""{ "tools": [ { "name": "a", "rerun": "yes" } ] }""", "tools[0].rerun must be true or false")]
    [InlineData("""{ "tools": [ { "name": "a", "arguments": "x" } ] }""", "tools[0].arguments must be an object")]
    [InlineData("""{ "tools": [ { "name": "a", "once": true } ] }""", "needs an argument with {parcel}")]
    [InlineData("""{ "tools": [ { "name": "a", "once": true, "rerun": true, "arguments": { "p": "{parcel}" } } ] }""", "exclude each other")]
    [InlineData("""{ "tools": [ { "name": "a", "pattern": "(" } ] }""", "tools[0].pattern is not a regular expression")]
    [InlineData("""{ "tools": [ { "name": "a", "text": "x", "pattern": "x" } ] }""", "leave one of them out")]
    public void What_is_wrong_is_said_with_its_place_and_its_cure(string json, string message) =>
        Assert.Contains(message, Assert.Throws<LabException>(() => Read(json)).Message, StringComparison.Ordinal);

    private IReadOnlyList<WorkloadTool> Read(string json)
    {
        File.WriteAllText(_path, json);
        return WorkloadFile.Read(_path);
    }
}
