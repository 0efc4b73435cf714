using System.Diagnostics;
using System.Net;
using System.Security.Claims;
using Mcp.HighAvailability.Limits;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests;

/// <summary>How often one client may ask, and who counts as one.</summary>
public sealed class RequestRateTests
{
    // More than may come at once, several times over.
    private const int Many = 5 * 2 * RequestRate.Default;

    private static readonly Refusals Unheard = new(TimeProvider.System, NullLogger<Refusals>.Instance);

    [Theory]
    [InlineData("8.8.8.8", null)]
    [InlineData("2001:db8::1", null)]
    [InlineData("::ffff:8.8.8.8", null)]
    [InlineData("127.0.0.1", "ada")]
    public async Task By_default_an_address_of_the_Internet_and_a_user_have_a_limit(string address, string? user)
    {
        var rate = new RequestRate(null, null, "Here:RequestsPerSecond", Unheard);
        var asked = Stopwatch.StartNew();
        HttpContext context;
        do
            context = await AskAsync(rate, address, user);
        while (context.Response.StatusCode == 200 && asked.Elapsed < Wait.Limit);

        Assert.Equal(429, context.Response.StatusCode);
        Assert.Equal("1", context.Response.Headers.RetryAfter);
        context.Response.Body.Position = 0;
        Assert.Contains("more than 1000 requests per second (Here:RequestsPerSecond)", await new StreamReader(context.Response.Body).ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal(200, (await AskAsync(rate, "9.9.9.9", null)).Response.StatusCode);
    }

    [Theory]
    [InlineData("127.0.0.1", null)]
    [InlineData("::1", null)]
    [InlineData("10.1.2.3", null)]
    [InlineData("::ffff:10.1.2.3", null)]
    [InlineData("172.31.0.1", null)]
    [InlineData("192.168.1.1", null)]
    [InlineData("100.64.0.1", null)]
    [InlineData("fd00::1", null)]
    [InlineData("fe80::1", null)]
    [InlineData("8.8.8.8", 0)]
    public async Task Nobody_has_one_who_may_be_a_proxy_or_when_it_is_turned_off(string address, int? perSecond)
    {
        var rate = new RequestRate(perSecond, null, "x", Unheard);
        for (var i = 0; i < Many; i++)
            Assert.Equal(200, (await AskAsync(rate, address, null)).Response.StatusCode);
    }

    [Theory]
    [InlineData("172.32.0.1")]
    [InlineData("100.128.0.1")]
    [InlineData("192.169.0.1")]
    [InlineData("11.0.0.1")]
    public void What_is_beside_a_private_network_is_not_private(string address) => Assert.False(RequestRate.IsPrivate(IPAddress.Parse(address)));

    [Fact]
    public async Task A_limit_that_is_set_holds_for_every_address()
    {
        var rate = new RequestRate(1, 1, "x", Unheard);
        var asked = Stopwatch.StartNew();
        var status = 200;
        while (status == 200 && asked.Elapsed < Wait.Limit)
            status = (await AskAsync(rate, "127.0.0.1", null)).Response.StatusCode;
        Assert.Equal(429, status);
    }

    [Fact]
    public async Task Clients_that_are_silent_are_forgotten_without_a_timer()
    {
        var time = new FakeTimeProvider();
        var timers = Timer.ActiveCount;
        var rates = Enumerable.Range(0, 500).Select(_ => new RequestRate(10, 100, "x", Unheard, time)).ToList();
        foreach (var rate in rates)
            await AskAsync(rate, "8.8.8.8", null);
        Assert.InRange(Timer.ActiveCount, 0, timers + 100); // other tests have some of their own

        time.Advance(TimeSpan.FromSeconds(61));
        await AskAsync(rates[0], "8.8.4.4", null);
        Assert.Equal(2, rates[0].Clients);
        time.Advance(TimeSpan.FromSeconds(61));
        await AskAsync(rates[0], "8.8.4.4", null);
        Assert.Equal(1, rates[0].Clients);
        time.Advance(TimeSpan.FromSeconds(200));
        await AskAsync(rates[0], "9.9.9.9", null);
        Assert.Equal(1, rates[0].Clients);
    }

    private static async Task<HttpContext> AskAsync(RequestRate rate, string address, string? user)
    {
        var context = new DefaultHttpContext { Response = { Body = new MemoryStream() } };
        context.Connection.RemoteIpAddress = IPAddress.Parse(address);
        if (user is not null)
            context.User = new(new ClaimsIdentity([new Claim("sub", user)], "test"));
        await rate.Wrap(static _ => Task.CompletedTask)(context);
        return context;
    }
}
