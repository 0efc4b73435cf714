using Mcp.HighAvailability;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>Wrong settings are refused at start, by a message that names the property and the cure.</summary>
public sealed class OptionsTests
{
    public static TheoryData<string, Action<HighAvailabilityOptions>> Wrong => new()
    {
        { "HighAvailability:ReplicaId", o => o.ReplicaId = "a_b" },
        { "HighAvailability:AdvertisedAddress", o => o.AdvertisedAddress = new Uri("http://host:1/path") },
        { "HighAvailability:AdvertisedAddress", o => o.AdvertisedAddress = new Uri("/relative", UriKind.Relative) },
        { "HighAvailability:AllowedHosts", o => o.AllowedHosts = "https://mcp.example.com" },
        { "HighAvailability:AllowedOrigins", o => o.AllowedOrigins = "app.example.com" },
        { "HighAvailability:SessionMode", o => o.SessionMode = (SessionMode)9 },
        { "HighAvailability:Durability", o => o.Durability = (Durability)9 },
        { "HighAvailability:DurableTimeout", o => o.DurableTimeout = TimeSpan.Zero },
        { "HighAvailability:DrainTimeout", o => o.DrainTimeout = TimeSpan.FromSeconds(-1) },
        { "HighAvailability:KeepAlive", o => o.KeepAlive = TimeSpan.Zero },
        { "HighAvailability:HoldTime", o => o.HoldTime = TimeSpan.FromDays(1) },
        { "HighAvailability:PendingEntries", o => o.PendingEntries = 0 },
        { "HighAvailability:MaxRequestBodySize", o => o.MaxRequestBodySize = 10 },
        { "HighAvailability:RememberedCalls", o => o.RememberedCalls = -1 },
    };

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public void A_wrong_setting_is_named_with_what_to_do_about_it(string property, Action<HighAvailabilityOptions> spoil)
    {
        var options = new HighAvailabilityOptions();
        var validator = new HighAvailabilityOptionsValidator();
        Assert.True(validator.Validate(null, options).Succeeded);

        spoil(options);

        var failure = Assert.Single(validator.Validate(null, options).Failures!);
        Assert.StartsWith(property, failure, StringComparison.Ordinal);
        Assert.Matches("set it|must be", failure);
    }

    [Fact]
    public void Sessions_live_long_enough_to_be_used()
    {
        var validator = new SessionStoreOptionsValidator();
        Assert.True(validator.Validate(null, new()).Succeeded);

        var failures = validator.Validate(null, new() { IdleTimeout = TimeSpan.Zero, UnusedTimeout = TimeSpan.FromMilliseconds(10) }).Failures!;

        Assert.Collection(
            failures,
            f => Assert.StartsWith("HighAvailability:Sessions:IdleTimeout is 00:00:00; set it to", f, StringComparison.Ordinal),
            f => Assert.StartsWith("HighAvailability:Sessions:UnusedTimeout is 00:00:00.0100000; set it to", f, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_server_with_a_wrong_setting_does_not_start()
    {
        var e = await Assert.ThrowsAsync<Microsoft.Extensions.Options.OptionsValidationException>(
            () => InProcessCluster.StartAsync(1, o => o.PendingEntries = 0));
        Assert.Contains("HighAvailability:PendingEntries is 0; set it to 1 or more", e.Message, StringComparison.Ordinal);
    }
}
