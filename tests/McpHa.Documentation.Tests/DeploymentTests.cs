using System.Globalization;
using McpHa.Tests.Commands;
using McpHa.Tests.Monitoring;
using McpHa.Tests.Pages;
using YamlDotNet.RepresentationModel;

namespace McpHa.Tests;

/// <summary>What the pages tell others to run: Kubernetes, Compose, systemd, nginx. None of it contradicts the programs.</summary>
public sealed class DeploymentTests
{
    private const string DeploymentPage = "docs/deployment.md";
    private const string CloudPage = "docs/cloud.md";
    private const string DrainTimeout = "HighAvailability__DrainTimeout";
    private const string DrainTime = "Balancer__DrainTime";

    /// <summary>ASP.NET Core's own: a balancer with it believes the proxy that ends TLS in front of it.</summary>
    public const string ForwardedHeaders = "ASPNETCORE_FORWARDEDHEADERS_ENABLED";

    public static TheoryData<string> NginxBlocks => [.. Page.Blocks().Where(block => block.Language == "nginx").Select(block => block.ToString())];

    [Fact]
    public void Kubernetes_objects_fit_together_and_pods_have_time_to_drain()
    {
        var objects = Page.Blocks(CloudPage).Where(block => block.Language == "yaml").Select(block => Yaml.Read(block.Text)).Single(documents => documents.Length > 1);
        var secrets = objects.Where(o => o.At("kind").Text() == "Secret").Select(o => o.At("metadata", "name").Text()).ToArray();
        var deployments = objects.Where(o => o.At("kind").Text() == "Deployment").ToArray();

        Assert.Equal(2, deployments.Length);
        foreach (var deployment in deployments)
        {
            var (pod, labels) = (deployment.At("spec", "template", "spec")!, deployment.At("spec", "template", "metadata", "labels"));
            var container = Assert.Single(pod.At("containers").Items());
            var variables = container.At("env").Items().ToDictionary(v => v.At("name").Text()!, v => v);
            var port = Assert.Single(container.At("ports").Items()).At("containerPort").Text();

            Assert.Equal(labels, deployment.At("spec", "selector", "matchLabels"));
            Assert.DoesNotContain(variables.Keys, name => name != "POD_IP" && !SettingsTests.IsVariable(name));
            Assert.All(variables.Values.Select(v => v.At("valueFrom", "secretKeyRef", "name").Text()).OfType<string>(), name => Assert.Contains(name, secrets));
            AssertTimeToDrain(pod.At("terminationGracePeriodSeconds").Text()!, name => variables.GetValueOrDefault(name).At("value").Text());
            AssertBelievesTheProxy(name => variables.GetValueOrDefault(name).At("value").Text());
            foreach (var (probe, path) in new[] { ("startupProbe", "/alive"), ("readinessProbe", "/health"), ("livenessProbe", "/alive") })
            {
                Assert.Equal(path, container.At(probe, "httpGet", "path").Text());
                Assert.Equal(port, container.At(probe, "httpGet", "port").Text());
            }
        }

        var service = objects.Single(o => o.At("kind").Text() == "Service");
        Assert.Contains(deployments, d => d.At("spec", "template", "metadata", "labels")!.Equals(service.At("spec", "selector")));
        AssertProtected(objects, [.. deployments.Select(d => d.At("spec", "template", "metadata", "labels")!)]);
    }

    // A disruption budget for every Deployment, network policies for pods that exist, and an Ingress that leads to the Service.
    private static void AssertProtected(YamlNode[] objects, YamlNode[] pods)
    {
        YamlNode[] Of(string kind) => [.. objects.Where(o => o.At("kind").Text() == kind)];
        Assert.All(pods, labels => Assert.Contains(Of("PodDisruptionBudget"), budget => labels.Equals(budget.At("spec", "selector", "matchLabels"))));
        Assert.All(Of("NetworkPolicy"), policy =>
        {
            Assert.Contains(policy.At("spec", "podSelector", "matchLabels"), pods);
            var peers = policy.At("spec", "ingress").Items().SelectMany(rule => rule.At("from").Items()).Select(peer => peer.At("podSelector", "matchLabels"));
            Assert.All(peers, peer => Assert.Contains(peer, pods));
        });
        var backends = Of("Ingress").SelectMany(i => i.At("spec", "rules").Items()).SelectMany(rule => rule.At("http", "paths").Items());
        Assert.All(backends, path => Assert.Contains(Of("Service"), s => s.At("metadata", "name").Text() == path.At("backend", "service", "name").Text()));
    }

    [Fact]
    public void Autoscalers_scale_the_servers_and_leave_time_to_drain()
    {
        var scalers = Page.Blocks(CloudPage).Where(block => block.Language == "yaml").SelectMany(block => Yaml.Read(block.Text))
            .Where(o => o.At("kind").Text() is "ScaledObject" or "HorizontalPodAutoscaler").ToArray();

        Assert.Equal(2, scalers.Length);
        foreach (var scaler in scalers)
        {
            Assert.Equal("mcp-server", scaler.At("spec", "scaleTargetRef", "name").Text());
            var behavior = scaler.At("spec", "advanced", "horizontalPodAutoscalerConfig", "behavior") ?? scaler.At("spec", "behavior");
            var policy = Assert.Single(behavior.At("scaleDown", "policies").Items());
            Assert.InRange(int.Parse(policy.At("periodSeconds").Text()!, CultureInfo.InvariantCulture), 45, 3600);
            var queries = scaler.At("spec", "triggers").Items().Select(trigger => trigger.At("metadata", "query").Text()!);
            Assert.DoesNotContain(queries.SelectMany(PrometheusNames.In), name => !PrometheusNames.All.Contains(name));
        }
    }

    [Fact]
    public void Compose_services_have_settings_that_exist_and_time_to_drain()
    {
        string[] keys = ["image", "command", "volumes", "restart", "depends_on", "deploy", "environment", "stop_grace_period", "ports"];
        var compose = Page.Blocks(DeploymentPage).Where(block => block.Language == "yaml").Select(block => Yaml.Read(block.Text)).Single(documents => documents[0].At("services") is not null)[0];
        var services = compose.At("services").Pairs().ToDictionary(pair => pair.Key, pair => pair.Value);

        Assert.DoesNotContain(compose.Pairs(), pair => pair.Key is not ("services" or "volumes"));
        Assert.All(services.Values, service => Assert.DoesNotContain(service.Pairs(), pair => !keys.Contains(pair.Key)));
        Assert.All(services.Values.SelectMany(service => service.At("depends_on").Items()), other => Assert.Contains(other.Text()!, services.Keys));
        foreach (var service in services.Where(service => service.Key != "redis").Select(service => service.Value))
        {
            var variables = service.At("environment").Pairs().ToDictionary(pair => pair.Key, pair => pair.Value.Text());
            Assert.DoesNotContain(variables.Keys, name => !SettingsTests.IsVariable(name));
            AssertTimeToDrain(service.At("stop_grace_period").Text()!.TrimEnd('s'), variables.GetValueOrDefault);
        }
    }

    [Fact]
    public void Systemd_units_start_what_is_published_and_give_it_time_to_drain()
    {
        var units = Page.Blocks(DeploymentPage).Where(block => block.Language == "ini").ToArray();

        Assert.Equal(2, units.Length);
        foreach (var unit in units)
        {
            var lines = unit.Text.Split('\n').Where(line => line.Contains('=', StringComparison.Ordinal)).Select(line => line.Split('=', 2)).ToLookup(line => line[0], line => line[1]);
            var variables = lines["Environment"].Select(variable => variable.Split('=', 2)).ToDictionary(variable => variable[0], variable => variable[1]);

            Assert.True(Directory.Exists(Path.Combine(Page.Root, Path.GetFileName(lines["ExecStart"].Single()))), "It starts no program of this repository.");
            Assert.DoesNotContain(variables.Keys, name => name != "ASPNETCORE_URLS" && !SettingsTests.IsVariable(name));
            AssertTimeToDrain(lines["TimeoutStopSec"].Single(), variables.GetValueOrDefault);
            AssertBelievesTheProxy(variables.GetValueOrDefault);
        }
    }

    [Theory]
    [MemberData(nameof(NginxBlocks))]
    public async Task Nginx_takes_the_configuration(string place)
    {
        Assert.SkipWhen(Shell.Unavailable is not null, Shell.Unavailable ?? "");
        Assert.SkipWhen(LabCluster.NginxUnavailable is not null, LabCluster.NginxUnavailable ?? "");
        var folder = Directory.CreateTempSubdirectory("nginx-");
        var block = Page.Blocks().Single(block => block.ToString() == place);

        // Ports below 1024 need rights.
        var text = block.Text.Replace("listen 80;", $"listen 127.0.0.1:{RedisServer.FreePort()};", StringComparison.Ordinal);
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "nginx.conf"), $"pid {folder.FullName}/nginx.pid;\nerror_log stderr;\nevents {{ }}\nhttp {{\naccess_log off;\n{text}\n}}\n");
        await using var shell = new Shell(folder.FullName);

        await shell.RunAsync("PATH=$PATH:/usr/sbin nginx -t -q -p . -c $PWD/nginx.conf -e stderr");
        folder.Delete(recursive: true);
    }

    [Fact]
    public void Blocks_of_data_are_well_formed()
    {
        foreach (var block in Page.Blocks())
        {
            switch (block.Language)
            {
                case "json":
                    System.Text.Json.JsonDocument.Parse(block.Text).Dispose();
                    break;
                case "xml":
                    _ = System.Xml.Linq.XElement.Parse($"<block>{block.Text}</block>");
                    break;
                case "yaml":
                    _ = Yaml.Read(block.Text);
                    break;
            }
        }
    }

    // An Ingress or nginx ends TLS in front of the balancers of these samples, and nothing in front of the servers.
    private static void AssertBelievesTheProxy(Func<string, string?> variable) =>
        Assert.Equal(variable(DrainTime) is null ? null : "true", variable(ForwardedHeaders));

    // A server needs DrainTimeout and 10 s, a balancer DrainTime and 10 s; one of the two is said where it is given, so that a change sees both.
    private static void AssertTimeToDrain(string seconds, Func<string, string?> variable)
    {
        var drain = TimeSpan.Parse(variable(DrainTimeout) ?? variable(DrainTime) ?? throw new InvalidOperationException($"Neither {DrainTimeout} nor {DrainTime} is given."), CultureInfo.InvariantCulture);
        Assert.True(int.Parse(seconds, CultureInfo.InvariantCulture) > drain.TotalSeconds + 10, $"{seconds} s are too short for a drain of {drain}.");
    }
}
