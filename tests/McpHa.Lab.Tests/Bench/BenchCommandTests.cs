using Mcp.HighAvailability.Lab.Bench;
using Mcp.HighAvailability.Lab.Bench.Streams;
using Mcp.HighAvailability.Lab.Processes;

namespace McpHa.Tests;

/// <summary>The options of <c>bench</c>: what is wrong is said with its cure, before anything starts.</summary>
public sealed class BenchCommandTests
{
    [Theory]
    [InlineData("--only sdk,nothing", "--only does not know 'nothing'. Use some of sdk, replica, nginx")]
    [InlineData("--only replica,other", "Name it with --other.")]
    [InlineData("--rounds 0", "--rounds must be more than 0.")]
    [InlineData("--seconds -1", "--seconds must be more than 0.")]
    [InlineData("--streams 0", "--streams must be more than 0.")]
    public void A_wrong_option_is_refused_with_the_cure(string arguments, string message)
    {
        var errors = BenchCommand.Create().Parse(arguments).Errors.Select(error => error.Message);

        Assert.Contains(errors, error => error.Contains(message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("--only sdk,replica --rounds 9")]
    [InlineData("--only streams --streams 5000 --json x.json")]
    [InlineData("--only replica,other --other somewhere")]
    public void Right_options_are_taken(string arguments) => Assert.Empty(BenchCommand.Create().Parse(arguments).Errors);

    [Fact]
    public void More_streams_than_the_process_may_have_files_are_refused_with_the_cure()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "bench runs on Linux only");

        var error = Assert.Throws<LabException>(() => StreamRun.CheckLimit(2_000_000_000));

        Assert.Contains("ulimit -n", error.Message, StringComparison.Ordinal);
        StreamRun.CheckLimit(1);
    }

    [Fact]
    public void A_folder_without_another_build_is_refused_with_the_cure()
    {
        var error = Assert.Throws<LabException>(() => OtherBuild.In("/nowhere"));

        Assert.Contains("-p:RedisClient=VERSION", error.Message, StringComparison.Ordinal);
    }
}
