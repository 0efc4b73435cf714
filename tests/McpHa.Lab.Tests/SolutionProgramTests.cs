using Mcp.HighAvailability.Lab.Processes;

namespace McpHa.Tests;

/// <summary>How a program is run, by what is in its folder.</summary>
public sealed class SolutionProgramTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lab-");

    private string Assembly => Path.Combine(_folder.FullName, "Some.Server.dll");

    [Fact]
    public void A_program_without_a_runtime_is_run_by_dotnet()
    {
        var process = Start();

        Assert.Equal(Executables.DotNet, process.FileName);
        Assert.Equal([Assembly, "--Some:Setting=1"], process.Arguments);
    }

    [Theory]
    [InlineData("libhostfxr.so")]
    [InlineData("libhostfxr.dylib")]
    [InlineData("hostfxr.dll")]
    public void A_program_that_was_published_with_its_runtime_is_run_by_its_own_host(string host)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, host), "");

        var process = Start();

        Assert.Equal(Path.Combine(_folder.FullName, OperatingSystem.IsWindows() ? "Some.Server.exe" : "Some.Server"), process.FileName);
        Assert.Equal(["--Some:Setting=1"], process.Arguments);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private ProcessSpec Start() =>
        new SolutionProgram(_folder.FullName, Assembly).At("server1", new("http://127.0.0.1:1"), new Dictionary<string, string?>(), "server1.log", "--Some:Setting=1");
}
