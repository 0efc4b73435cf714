using Mcp.HighAvailability.Security;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace McpHa.Tests;

/// <summary>Which hosts and origins are let in.</summary>
public sealed class RuleTests
{
    [Theory]
    [InlineData("localhost:5200", true)]
    [InlineData("LOCALHOST", true)]
    [InlineData("app.localhost:80", true)]
    [InlineData("127.0.0.1:1", true)]
    [InlineData("[::1]:8080", true)]
    [InlineData("10.0.0.7:8080", true)] // an address cannot be rebound
    [InlineData("server:8080", true)]
    [InlineData("known.example.com", true)]
    [InlineData("Known.Example.com.:443", true)]
    [InlineData("below.example.org", true)]
    [InlineData("replica.internal:80", true)]
    [InlineData("evil.example.com", false)]
    [InlineData("example.org", false)]
    [InlineData("notexample.org", false)]
    [InlineData("localhost.evil.com", false)]
    [InlineData("127.0.0.1.evil.com", false)]
    [InlineData("known.example.com.evil.com", false)]
    public void Only_hosts_that_nobody_can_rebind_or_that_are_listed_are_answered(string host, bool allowed)
    {
        var rule = new HostRule("known.example.com; *.example.org", () => "replica.internal");
        Assert.Equal(allowed, rule.Allows(new HostString(host)));
        Assert.Equal(allowed, rule.Allows(new HostString(host)));
        Assert.True(new HostRule("*").Allows(new HostString(host)));
    }

    [Theory]
    [InlineData("http://localhost:6274", true)]
    [InlineData("https://127.0.0.1", true)]
    [InlineData("http://[::1]:1", true)]
    [InlineData("https://app.example.com", true)]
    [InlineData("https://mcp.example.com", true)] // the host that is asked
    [InlineData("https://mcp.example.com:444", false)]
    [InlineData("http://app.example.com", false)]
    [InlineData("https://app.example.com.evil.com", false)]
    [InlineData("http://localhost.evil.com", false)]
    [InlineData("http://10.0.0.7", false)]
    [InlineData("chrome-extension://localhost", false)]
    [InlineData("null", false)]
    [InlineData("nonsense", false)]
    [InlineData("", false)]
    public void Only_pages_of_this_machine_of_the_host_asked_and_of_listed_origins_may_ask(string origin, bool allowed)
    {
        var host = new HostString("mcp.example.com");
        Assert.Equal(allowed, new OriginRule("https://app.example.com/; https://other.example.com").Allows(origin, host));
        Assert.True(new OriginRule("*").Allows(origin, host));
        Assert.False(new OriginRule("https://app.example.com").Allows(new StringValues([origin, "https://app.example.com"]), host));
    }

    [Fact]
    public void Programs_send_no_origin_and_are_let_in() => Assert.True(new OriginRule("").Allows(default, new HostString("mcp.example.com")));
}
