using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Mcp.HighAvailability.Balancer.Operations;
using Mcp.HighAvailability.Balancer.Routing;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace McpHa.Tests;

/// <summary>An operator drains replicas through the balancer.</summary>
public class OperationsTests
{
    private const string Key = "0123456789abcdef";

    [Fact]
    public async Task A_replica_is_told_and_the_answer_comes_when_it_has_said_that_it_drains()
    {
        var bus = NewBus();
        await using var bench = await StartAsync(bus);
        await bench.AddAsync("a", replica => replica.Info with { Instance = "server-1", Sessions = 3 });
        await bench.AddAsync("b");
        await using var replica = await ObeyAsync(bus, bench, "a");

        foreach (var (name, operation, state, sessions) in new[] { ("a", "drain", "draining", 3), ("a", "drain", "draining", 3), ("server-1", "resume", "alive", 3) })
        {
            using var response = await AskAsync(bench, name, operation);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
            Assert.Equal(
                ("a", "server-1", state, sessions),
                (Text(json, "replica"), Text(json, "instance"), Text(json, "state"), json.RootElement.GetProperty("sessions").GetInt32()));
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer 0123456789abcdeF")]
    [InlineData("Bearer ")]
    [InlineData("Basic 0123456789abcdef")]
    [InlineData("Bearer 0123456789abcdef0")]
    public async Task Without_the_key_nothing_happens(string? authorization)
    {
        var bus = NewBus();
        await using var bench = await StartAsync(bus);
        await bench.AddAsync("a");
        await bench.AddAsync("b");
        var heard = 0;
        await using var listening = await bus.SubscribeAsync(OperationMessage.Topic, _ =>
        {
            Interlocked.Increment(ref heard);
            return ValueTask.CompletedTask;
        });

        using var response = await AskAsync(bench, "a", "drain", authorization);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("Bearer", response.Headers.WwwAuthenticate.ToString());
        Assert.Equal(0, heard);
    }

    [Fact]
    public async Task Without_a_key_there_are_no_operations()
    {
        await using var bench = await BalancerBench.StartAsync();
        await bench.AddAsync("a");
        using var response = await AskAsync(bench, "a", "drain");
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Contains("Balancer:Operations:Key", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_done_is_refused_with_the_reason()
    {
        await using var bench = await StartAsync(NewBus());
        await bench.AddAsync("a", replica => replica.Info with { Instance = "twin" });
        await AssertRefusedAsync(bench, "a", "drain", HttpStatusCode.Conflict, "Start or resume another replica first");
        await bench.AddAsync("b", replica => replica.Info with { Instance = "twin", Draining = true });
        await AssertRefusedAsync(bench, "a", "drain", HttpStatusCode.Conflict, "Start or resume another replica first");
        await AssertRefusedAsync(bench, "b", "resume", HttpStatusCode.Conflict, "shutting down");
        await AssertRefusedAsync(bench, "twin", "drain", HttpStatusCode.Conflict, "use an id: a, b");
        await AssertRefusedAsync(bench, "nobody", "drain", HttpStatusCode.NotFound, "Live replicas: a, b");
    }

    [Theory]
    [InlineData("short", "openssl rand -hex 16")]
    [InlineData("with blanks in it, and long enough", "letters, digits")]
    public async Task A_key_that_is_too_short_or_cannot_be_sent_keeps_the_balancer_from_starting(string key, string cure)
    {
        var failure = await Assert.ThrowsAsync<OptionsValidationException>(() => BalancerBench.StartAsync(o => o.Operations.Key = key));
        Assert.Contains(cure, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(key, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Operations_are_served_only_where_the_page_is()
    {
        var failure = await Assert.ThrowsAsync<OptionsValidationException>(() => BalancerBench.StartAsync(o => (o.Operations.Key, o.StatusPage) = (Key, false)));
        Assert.Contains("Balancer:StatusPage", failure.Message, StringComparison.Ordinal);

        await using var bench = await StartAsync(NewBus(), o => o.StatusAddress = BalancerBench.FreeAddress());
        (await bench.AddAsync("a")).Answer = (context, _) => context.Response.WriteAsync("of the replica");
        using var response = await AskAsync(bench, "a", "drain");
        Assert.Equal("of the replica", await response.Content.ReadAsStringAsync());
    }

    private static InMemoryEventBus NewBus() => new(NullLogger<InMemoryEventBus>.Instance);

    private static Task<BalancerBench> StartAsync(InMemoryEventBus bus, Action<BalancerOptions>? options = null) => BalancerBench.StartAsync(
        o =>
        {
            o.Operations.Key = Key;
            options?.Invoke(o);
        },
        services => services.AddSingleton<IEventBus>(bus));

    // As a replica does: it hears, and its next heartbeat says so.
    private static ValueTask<IAsyncDisposable> ObeyAsync(InMemoryEventBus bus, BalancerBench bench, string id) => bus.SubscribeAsync(OperationMessage.Topic, async message =>
    {
        if (OperationMessage.Read(message.Span, id) is { } operation && bench.Directory.Find(id) is { } info)
            await bench.SetAsync(info with { Draining = operation is ReplicaOperation.Drain, Stays = operation is ReplicaOperation.Drain });
    });

    private static async Task AssertRefusedAsync(BalancerBench bench, string name, string operation, HttpStatusCode status, string reason)
    {
        using var response = await AskAsync(bench, name, operation);
        Assert.Equal(status, response.StatusCode);
        Assert.Contains(reason, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    private static Task<HttpResponseMessage> AskAsync(BalancerBench bench, string name, string operation, string? authorization = $"Bearer {Key}")
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"/operations/replicas/{name}/{operation}");
        if (authorization is not null)
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        return bench.SendAsync(request);
    }

    private static string? Text(JsonDocument json, string property) => json.RootElement.GetProperty(property).GetString();
}
