using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;

namespace McpHa.Tests.Relays;

/// <summary>The exchange id that a relay puts on what it sends on.</summary>
public sealed class RelayExchangeTests
{
    [Fact]
    public async Task Every_attempt_of_an_exchange_carries_one_id_and_every_exchange_another()
    {
        await using var bench = await RelayBench.StartAsync();
        var replica = await bench.AddAsync("a", async (context, number) =>
        {
            if (number % 2 == 1)
                context.Abort();
            else
                await FakeReplica.JsonAsync(context, "{}");
        });
        for (var n = 0; n < 2; n++)
        {
            using var response = await bench.SendAsync(RelayBench.Post());
            Assert.True(response.IsSuccessStatusCode);
        }

        var ids = replica.Requests.Select(request => request.Headers["Mcp-Ha-Exchange"]).ToList();
        Assert.Equal((4, ids[0], ids[2]), (ids.Count, ids[1], ids[3]));
        Assert.NotEqual(ids[0], ids[2]);
        Assert.True(ExchangeId.TryParse(ids[0], out _));
    }

    [Theory]
    [InlineData("0123456789abcdef0123456789abcdef", true)]
    [InlineData("3d2b0ea6-2a3c-4f2b-9a55-0e0f4a6d7c11", true)]
    [InlineData("short", false)]
    [InlineData("not an id, but more than sixteen characters", false)]
    public async Task An_id_that_comes_from_a_load_balancer_in_front_is_passed_on_when_it_is_well_formed(string given, bool passedOn)
    {
        await using var bench = await RelayBench.StartAsync();
        var replica = await bench.AddAsync("a");
        for (var n = 0; n < 2; n++)
        {
            using var request = RelayBench.Post();
            request.Headers.TryAddWithoutValidation("Mcp-Ha-Exchange", given);
            using var response = await bench.SendAsync(request);
        }

        var ids = replica.Requests.Select(request => request.Headers["Mcp-Ha-Exchange"]).ToList();
        Assert.Equal(passedOn, ids[0] == ids[1]);
        Assert.True(ExchangeId.TryParse(ids[0], out var sent));
        if (passedOn)
            Assert.True(ExchangeId.TryParse(given, out var id) && id == sent);
    }

    [Theory]
    [InlineData(15)]
    [InlineData(129)]
    public void An_id_has_16_to_128_characters(int length) => Assert.False(ExchangeId.TryParse(new string('a', length), out _));

    [Fact]
    public void An_id_is_written_as_it_is_read()
    {
        var id = ExchangeId.New();
        Assert.True(ExchangeId.TryParse(id.ToString(), out var read));
        Assert.Equal(id, read);
    }
}
