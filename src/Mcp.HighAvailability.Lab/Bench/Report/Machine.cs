using System.Runtime.InteropServices;

namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>Where it was measured.</summary>
internal sealed record Machine(string OperatingSystem, string Processor, int Processors, double MemoryGigabytes, string Runtime, string Redis, string Build,
    string LoadAverage)
{
    public static async Task<Machine> DescribeAsync(CancellationToken cancellationToken) => new(
        RuntimeInformation.OSDescription,
        Field("/proc/cpuinfo", "model name") ?? RuntimeInformation.OSArchitecture.ToString(),
        Environment.ProcessorCount,
        Math.Round(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (double)(1 << 30), 1),
        RuntimeInformation.FrameworkDescription,
        await RedisVersionAsync(cancellationToken),
        BuildConfiguration,
        string.Join(' ', File.ReadAllText("/proc/loadavg").Split(' ').Take(3)));

#if DEBUG
    public static string BuildConfiguration => "Debug";
#else
    public static string BuildConfiguration => "Release";
#endif

    private static string? Field(string file, string name) =>
        File.ReadLines(file).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(':', 2)[1].Trim();

    private static async Task<string> RedisVersionAsync(CancellationToken cancellationToken)
    {
        using var process = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo(Processes.RedisServer.Executable!, "--version") { RedirectStandardOutput = true })!;
        var text = await process.StandardOutput.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        return text.Split(' ').FirstOrDefault(word => word.StartsWith("v=", StringComparison.Ordinal))?[2..] ?? text.Trim();
    }
}
