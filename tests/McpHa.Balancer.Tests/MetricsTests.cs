using System.Diagnostics.Metrics;
using System.Net;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace McpHa.Tests;

/// <summary>The page's figures as metrics. A collector of metrics adds up all balancers of a process, so no other test runs at the same time.</summary>
[Collection(nameof(MetricsTests))]
[CollectionDefinition(nameof(MetricsTests), DisableParallelization = true)]
public class MetricsTests
{
    [Fact]
    public async Task Prometheus_gets_the_figures_of_the_page_without_an_OTLP_endpoint()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var registry = new FixedRegistry();
        registry.Set(FixedRegistry.Info("server-1", sessions: 7, calls: 2));
        builder.Services.AddSingleton<IReplicaRegistry>(registry);
        builder.Services.AddMcpBalancer();
        builder.AddPrometheusMetrics();
        await using var app = builder.Build();
        app.MapMcpBalancer(app.PrometheusText());
        await app.StartAsync();
        await app.Services.GetRequiredService<ReplicaDirectory>().RefreshAsync();
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };

        using var response = await client.GetAsync("/metrics");
        var text = await response.Content.ReadAsStringAsync();

        Assert.Contains("text/plain", response.Content.Headers.ContentType!.ToString(), StringComparison.Ordinal);
        Assert.Matches(@"(?m)^mcp_ha_cluster_sessions\{[^}]*mcp_ha_replica_id=""server-1""[^}]*\} 7\b", text);
        Assert.Matches(@"(?m)^mcp_ha_cluster_replicas\{[^}]*mcp_ha_replica_state=""alive""[^}]*\} 1\b", text);
        Assert.Matches(@"(?m)^mcp_ha_directory_reachable[^ ]* 1\b", text);

        // Counters begin with 0: a first event is an increase.
        Assert.All(
            new[]
            {
                "relay_refused", "relay_given_up", "bodies_refused", "descriptors_refused", "balancer_too_many_requests", "balancer_server_errors",
            },
            counter => Assert.Matches($@"(?m)^mcp_ha_{counter}_total[^ ]* 0\b", text));
    }

    [Fact]
    public async Task The_table_in_the_documentation_is_what_a_balancer_measures()
    {
        var made = new SortedSet<string>(StringComparer.Ordinal);
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Meter.Name == "Mcp.HighAvailability" && (instrument.Name.Contains(".balancer.", StringComparison.Ordinal) || instrument.Name.Contains(".cluster.", StringComparison.Ordinal)
                    || instrument.Name.Contains(".directory.", StringComparison.Ordinal) || instrument.Name.Contains(".store.", StringComparison.Ordinal)))
                {
                    lock (made)
                        made.Add($"{instrument.Name} {instrument.Unit} {instrument.Description!.TrimEnd('.')}");
                }
            },
        };
        listener.Start();
        await using var bench = await BalancerBench.StartAsync();

        var told = File.ReadLines(Find()).SkipWhile(line => line != "### At a balancer").SkipWhile(line => !line.StartsWith('|')).TakeWhile(line => line.StartsWith('|')).Skip(2)
            .Select(line => line.Trim('|').Split('|').Select(cell => cell.Trim().Trim('`')).ToArray())
            .Select(row => $"{row[0]} {row[2]} {row[3]}").Order(StringComparer.Ordinal);
        Assert.Equal(made, told);
    }

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (Path.Combine(folder.FullName, "docs", "telemetry.md") is var file && File.Exists(file))
                return file;
        }

        throw new FileNotFoundException("docs/telemetry.md is in no folder above the tests.");
    }
}
