using System.Text.Json.Nodes;
using McpHa.Tests.Monitoring;
using McpHa.Tests.Pages;

namespace McpHa.Tests;

/// <summary>Alert rules and dashboard use metrics that exist, and lead to sections that exist.</summary>
[Trait("Category", "Quick")]
public sealed class MonitoringTests
{
    private const string AlertsFile = "docs/monitoring/alerts.yaml";
    private const string DashboardFile = "docs/monitoring/grafana.json";

    [Fact]
    public void Metrics_of_the_alert_rules_exist()
    {
        var expressions = Rules().Select(rule => rule.At("expr").Text()!).ToArray();

        Assert.NotEmpty(expressions);
        Assert.All(expressions, expression => Assert.NotEmpty(PrometheusNames.In(expression)));
        Assert.DoesNotContain(expressions.SelectMany(PrometheusNames.In), name => !PrometheusNames.All.Contains(name));
    }

    [Fact]
    public void Alert_rules_have_a_name_of_their_own_a_severity_and_a_section_of_the_runbook()
    {
        var rules = Rules();

        Assert.Equal(rules.Length, rules.Select(rule => rule.At("alert").Text()).Distinct().Count());
        Assert.All(rules, rule =>
        {
            Assert.Contains(rule.At("labels", "severity").Text(), new[] { "info", "warning", "critical" });
            Assert.NotEmpty(rule.At("annotations", "summary").Text()!);
            var runbook = rule.At("annotations", "runbook").Text()!.Split('#');
            Assert.Contains(runbook[1], DocumentationTests.Sections(runbook[0]));
        });
    }

    [Fact]
    public void Metrics_of_the_dashboard_exist()
    {
        var targets = Panels().SelectMany(panel => panel["targets"]?.AsArray() ?? []).Select(target => (string)target!["expr"]!).ToArray();

        Assert.NotEmpty(targets);
        Assert.DoesNotContain(targets.SelectMany(PrometheusNames.In), name => !PrometheusNames.All.Contains(name));
    }

    [Fact]
    public void Panels_of_the_dashboard_have_a_title_an_id_of_their_own_and_do_not_overlap()
    {
        var panels = Panels();

        Assert.Equal(panels.Length, panels.Select(panel => (int)panel["id"]!).Distinct().Count());
        Assert.All(panels, panel => Assert.NotEmpty((string)panel["title"]!));
        var cells = panels.Select(panel => panel["gridPos"]!).SelectMany(at =>
            from x in Enumerable.Range((int)at["x"]!, (int)at["w"]!)
            from y in Enumerable.Range((int)at["y"]!, (int)at["h"]!)
            select (x, y)).ToArray();
        Assert.Equal(cells.Length, cells.Distinct().Count());
        Assert.InRange(cells.Max(cell => cell.x), 0, 23);
    }

    private static YamlDotNet.RepresentationModel.YamlNode[] Rules() =>
        [.. Yaml.Read(Page.Read(AlertsFile)).Single().At("groups").Items().SelectMany(group => group.At("rules").Items())];

    private static JsonNode[] Panels() => [.. JsonNode.Parse(Page.Read(DashboardFile))!["panels"]!.AsArray().Select(panel => panel!)];
}
