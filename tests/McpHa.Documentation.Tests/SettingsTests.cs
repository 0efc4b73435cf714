using System.Text.RegularExpressions;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Balancer.Operations;
using Mcp.HighAvailability.Balancer.Routing;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Redis;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using McpHa.Tests.Pages;

namespace McpHa.Tests;

/// <summary>Settings that a page names are settings, and all of them are on the page for them.</summary>
[Trait("Category", "Quick")]
public sealed partial class SettingsTests
{
    private const string ConfigurationPage = "docs/configuration.md";

    private static readonly string[] Server =
        [.. Names<HighAvailabilityOptions>(""), .. Names<SessionStoreOptions>("Sessions:"), .. Names<StateHandleOptions>("StateHandles:"),
            .. Names<TaskOptions>("Tasks:"), .. Names<ClusterOptions>("Cluster:"), .. Names<RelayOptions>("Relay:"), .. Names<LimitOptions>("Limits:"),
            .. Names<BroadcastOptions>("Broadcasts:"), .. Names<RedisHighAvailabilityOptions>("Redis:")];

    private static readonly string[] Balancer = [.. Names<BalancerOptions>("").Except([nameof(BalancerOptions.Operations)]), .. Names<OperationsOptions>("Operations:"), .. Names<ClusterOptions>("Cluster:"), .. Names<RelayOptions>("Relay:")];

    public static TheoryData<string> Pages => [.. Page.All];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_setting_that_a_page_names_exists(string page)
    {
        var named = Setting().Matches(Page.Read(page)).Select(match => (Section: match.Groups[1].Value, Name: match.Groups[2].Value.Replace("__", ":", StringComparison.Ordinal)));

        Assert.DoesNotContain(named, setting => !Known(setting.Section == "Balancer" ? Balancer : Server, setting.Name));
    }

    [Fact]
    public void Every_setting_is_on_the_page_of_settings()
    {
        var page = Page.Read(ConfigurationPage);
        var (server, balancer) = (Section("Server"), Section("Balancer"));

        Assert.DoesNotContain(Server, name => !server.Contains($"`{Last(name)}`", StringComparison.Ordinal) && !server.Contains($"`{name}`", StringComparison.Ordinal));
        Assert.DoesNotContain(Balancer, name => !balancer.Contains($"`{Last(name)}`", StringComparison.Ordinal) && !balancer.Contains($"`{name}`", StringComparison.Ordinal));
        Assert.DoesNotContain(Names<RedisHighAvailabilityOptions>(""), name => !server.Contains($"`{name}`", StringComparison.Ordinal));

        string Section(string title) => page.Split($"## {title}\n")[1].Split("\n## ")[0];
    }

    /// <summary>Whether an environment variable is a setting of a program.</summary>
    public static bool IsVariable(string name) =>
        name.Split("__", 2) is [var section, var setting]
        && (section == "HighAvailability" && Known(Server, setting.Replace("__", ":", StringComparison.Ordinal))
            || section == "Balancer" && Known(Balancer, setting.Replace("__", ":", StringComparison.Ordinal))
            || section == "ConnectionStrings" && setting == "redis")
        || name == DeploymentTests.ForwardedHeaders;

    private static bool Known(string[] settings, string name) =>
        settings.Contains(name) || settings.Any(setting => setting.StartsWith(name + ":", StringComparison.Ordinal));

    private static IEnumerable<string> Names<T>(string prefix) => typeof(T).GetProperties().Where(property => property.CanWrite).Select(property => prefix + property.Name);

    private static string Last(string name) => name[(name.LastIndexOf(':') + 1)..];

    [GeneratedRegex(@"\b(HighAvailability|Balancer)(?::|__)([A-Z]\w*(?::\w+)*)")]
    private static partial Regex Setting();
}
