using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Bench.Report;
using Mcp.HighAvailability.Lab.Bench.Server;

namespace McpHa.Tests;

/// <summary>What <c>bench</c> calculates, and the shape of its report.</summary>
public sealed class BenchReportTests
{
    [Fact]
    public void A_ratio_is_the_median_of_the_shares_of_each_round()
    {
        var ratios = Ratio.Of([Subject("sdk", CallKind.State, 100, 50, 200), Subject("replica", CallKind.State, 50, 50, 120)]);

        var ratio = Assert.Single(ratios);
        Assert.Equal(new Ratio("state/sdk", 64, 0.6, 0.5, 1.0), ratio);
    }

    [Fact]
    public void A_ratio_of_processor_times_takes_those_of_the_proxies()
    {
        var ratio = Assert.Single(Ratio.Of([Proxy("nginx", 30), Proxy("balancer", 45)]), ratio => ratio.Name == "balancer-cpu/nginx-cpu");

        Assert.Equal(1.5, ratio.Median);
    }

    [Fact]
    public void A_subject_that_was_left_out_has_no_ratio() => Assert.Empty(Ratio.Of([Subject("replica", CallKind.ReadOnly, 1)]));

    [Fact]
    public void The_report_names_its_ratios_as_others_read_them()
    {
        var report = Report() with { Load = [Subject("sdk", CallKind.ReadOnly, 100), Subject("replica", CallKind.ReadOnly, 120)] };

        var json = JsonNode.Parse(report.ToJson())!;

        var ratio = json["ratios"]!.AsArray().Single(ratio => (string?)ratio!["name"] == "read-only/sdk")!.AsObject();
        Assert.Equal(["name", "connections", "median", "low", "high"], ratio.Select(property => property.Key));
        Assert.Equal((64, 1.2), ((int)ratio["connections"]!, (double)ratio["median"]!));
        Assert.Equal("read-only", (string?)json["load"]![0]!["loads"]![0]!["kind"]);
    }

    [Fact]
    public void A_target_says_whether_it_was_reached()
    {
        var report = Report() with
        {
            Load = [Subject("sdk", CallKind.State, 100), Subject("replica", CallKind.State, 69)],
            Failures = [new FailureReport("kill", "", [30, 20, 250])],
            Memory = new Dictionary<ServerKind, MemoryReport> { [ServerKind.Ha] = new(10, 5_000, 14 * 1024) },
        };

        Assert.Equal(
            ["state/sdk, 64 connections: False", "kill, p50: True", "kill, p99: False", "managed memory per idle session with stream: True"],
            report.Targets.Select(target => $"{target.Name}: {target.Reached}"));
    }

    [Fact]
    public void The_percentiles_of_losses_are_by_nearest_rank()
    {
        var failure = new FailureReport("kill", "", [.. Enumerable.Range(1, 100).Select(n => (double)n).Reverse()]);

        Assert.Equal((50, 99, 100), (failure.P50Milliseconds, failure.P99Milliseconds, failure.MaxMilliseconds));
    }

    private static BenchReport Report() => new()
    {
        Started = default,
        Machine = new Machine("", "", 2, 1, "", "", "", ""),
        Rounds = 1,
        SecondsPerTurn = 1,
    };

    private static SubjectReport Subject(string key, CallKind kind, params double[] callsPerSecond) =>
        new(key, key, [new LoadReport(kind, 64, [.. callsPerSecond.Select(speed => new Turn { CallsPerSecond = speed, ServerMicrosecondsPerCall = 1 })])]);

    private static SubjectReport Proxy(string key, double microseconds) =>
        new(key, key, [new LoadReport(CallKind.ReadOnly, 64, [new Turn { ProxyMicrosecondsPerCall = microseconds }])]);
}
