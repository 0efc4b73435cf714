namespace McpHa.Tests;

/// <summary>A cluster with the Aspire dashboard.</summary>
public static class DashboardCluster
{
    /// <summary>Starts it; skips the test where clusters cannot run, or where the dashboard cannot be restored, with what Lab says of that.</summary>
    public static async Task<LabCluster> StartAsync(LabClusterOptions options)
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        try
        {
            return await LabCluster.StartAsync(options with { Arguments = [.. options.Arguments, "--dashboard"] });
        }
        catch (InvalidOperationException e) when (e.Message.Contains("leave out --dashboard", StringComparison.Ordinal))
        {
            throw Xunit.Sdk.SkipException.ForSkip(e.Message.Split('\n').First(line => line.Contains("leave out --dashboard", StringComparison.Ordinal)));
        }
    }
}
