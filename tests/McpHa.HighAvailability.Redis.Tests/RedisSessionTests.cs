using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Redis;
using Mcp.HighAvailability.Sessions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Server;
using StackExchange.Redis;

namespace McpHa.Tests;

/// <summary>A replica on a real Redis: what a broadcast costs, and a Redis that stops answering or holds garbage.</summary>
public sealed class RedisSessionTests : IAsyncLifetime
{
    private const int Large = 2_500_000;

    private readonly RedisServer _redis = new();
    private readonly Gate _gate = new();
    private readonly HttpClient _http = new();
    private RedisClient _client = null!;
    private WebApplication _app = null!;
    private Uri _endpoint = null!;

    public async ValueTask InitializeAsync()
    {
        if (RedisServer.IsMissing)
            return;
        await _redis.InitializeAsync();
        _client = new(_redis.ConnectionString);
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(_gate).AddSingleton<IConnectionMultiplexer>(_client.Multiplexer);
        builder.Services.Configure<HighAvailabilityOptions>(o => (o.DrainTimeout, o.HoldTime, o.DurableTimeout) = (Wait.Limit, Wait.Limit, Wait.Limit));
        builder.Services.AddMcpServer().WithHighAvailability(ha => ha.UseRedis()).WithTools<GatedTools>();
        _app = builder.Build();
        _app.MapHighlyAvailableMcp("/mcp");
        await _app.StartAsync();
        _endpoint = new(_app.Urls.Single() + "/mcp");
    }

    public async ValueTask DisposeAsync()
    {
        _gate.Open.TrySetResult();
        _http.Dispose();
        if (_app is not null)
            await _app.DisposeAsync();
        _client?.Dispose();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task Every_answer_arrives_after_redis_stood_still_while_a_session_was_busy()
    {
        RedisServer.SkipIfMissing();
        var session = await OpenAsync();
        var calls = Enumerable.Range(1, 6).Select(id => CallAsync(session, id, Large)).ToList();
        for (var n = 0; n < calls.Count; n++)
            Assert.True(await _gate.Begun.WaitAsync(Wait.Limit));

        Signal("STOP");
        try
        {
            _gate.Open.SetResult();
            await Wait.UntilAsync(() => Live(session).CallsInFlight.Count == 0, "all calls to end");
            Assert.All(calls, call => Assert.False(call.IsCompleted));
        }
        finally
        {
            Signal("CONT");
        }

        foreach (var call in calls)
            Assert.Contains(new string('x', Large), await call.WaitAsync(Wait.Limit), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broadcast_is_one_append_and_no_commit_whatever_the_number_of_sessions()
    {
        RedisServer.SkipIfMissing();
        List<Reader> readers = [await ReadAsync(await OpenAsync())];
        Assert.Equal((1, 1, 0), await BroadcastAsync(readers));
        while (readers.Count < 20)
            readers.Add(await ReadAsync(await OpenAsync()));

        Assert.Equal((1, 1, 0), await BroadcastAsync(readers));

        readers.ForEach(reader => reader.Dispose());
    }

    [Fact]
    public async Task A_session_whose_key_holds_garbage_does_not_disturb_the_shutdown_of_others()
    {
        RedisServer.SkipIfMissing();
        var (damaged, sound) = (await OpenAsync(), await OpenAsync());
        var call = CallAsync(sound, 1, 10);
        Assert.True(await _gate.Begun.WaitAsync(Wait.Limit));
        var key = _app.Services.GetRequiredService<RedisConnection>().Keys.Session(damaged);
        await _client.Database.KeyDeleteAsync(key);
        await _client.Database.StringSetAsync(key, "garbage");

        var stopping = _app.StopAsync();
        await Wait.UntilAsync(() => _app.Services.GetRequiredService<SessionHost>().Find(damaged) is null, "the damaged session to end here");
        Assert.False(stopping.IsCompleted);
        _gate.Open.SetResult();

        Assert.Contains("xxxxxxxxxx", await call.WaitAsync(Wait.Limit), StringComparison.Ordinal);
        await stopping.WaitAsync(Wait.Limit);
        Assert.Equal("", (string?)await _client.Database.HashGetAsync(_app.Services.GetRequiredService<RedisConnection>().Keys.Session(sound), "owner"));
    }

    // Redis commands that add or publish something, until all sessions have the broadcast and have written what there was to write. Heartbeats and reads of the log
    // come with the time, and are none of these.
    private async Task<(long Appended, long Published, int Written)> BroadcastAsync(List<Reader> readers)
    {
        var records = await RecordsAsync(readers);
        var before = await RedisCommandTests.CommandsAsync(_client.Database);
        await _app.Services.GetRequiredService<IClusterNotifier>().ToolsChangedAsync();
        foreach (var reader in readers)
        {
            await reader.UntilAsync("list_changed");
            await Live(reader.Session).DrainAsync();
        }

        var sent = await RedisCommandTests.CommandsAsync(_client.Database, before);
        return (sent.GetValueOrDefault("rpush"), sent.GetValueOrDefault("publish"), (await RecordsAsync(readers)).Except(records).Count());
    }

    // The number of the last commit is in the record.
    private async Task<string[]> RecordsAsync(List<Reader> readers)
    {
        var keys = _app.Services.GetRequiredService<RedisConnection>().Keys;
        var records = await Task.WhenAll(readers.Select(reader => _client.Database.HashGetAllAsync(keys.Session(reader.Session))));
        return [.. records.Select(record => string.Join(' ', record.Select(field => field.ToString()).Order(StringComparer.Ordinal)))];
    }

    private async Task<Reader> ReadAsync(string session)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, _endpoint);
        request.Headers.TryAddWithoutValidation("Accept", "text/event-stream");
        request.Headers.TryAddWithoutValidation("Mcp-Session-Id", session);
        var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        await Live(session).VerifyAsync(); // what opening the stream writes
        return new(session, response, new(await response.Content.ReadAsStreamAsync()));
    }

    private sealed record Reader(string Session, HttpResponseMessage Response, StreamReader Lines) : IDisposable
    {
        public async Task UntilAsync(string text)
        {
            while (!(await Lines.ReadLineAsync().WaitAsync(Wait.Limit))!.Contains(text, StringComparison.Ordinal))
            {
            }
        }

        public void Dispose() => Response.Dispose();
    }

    private LiveSession Live(string session) => _app.Services.GetRequiredService<SessionHost>().Find(session)!;

    private void Signal(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{_redis.ProcessId}"]);
        kill.WaitForExit();
    }

    private async Task<string> OpenAsync()
    {
        using var opened = await PostAsync(null, new JsonObject
        {
            ["jsonrpc"] = "2.0",
            ["id"] = 0,
            ["method"] = "initialize",
            ["params"] = new JsonObject
            {
                ["protocolVersion"] = "2025-06-18",
                ["capabilities"] = new JsonObject(),
                ["clientInfo"] = new JsonObject { ["name"] = "raw", ["version"] = "1" },
            },
        });
        var session = opened.Headers.GetValues("Mcp-Session-Id").Single();
        using var begun = await PostAsync(session, new JsonObject { ["jsonrpc"] = "2.0", ["method"] = "notifications/initialized" });
        Assert.Equal(HttpStatusCode.Accepted, begun.StatusCode);
        return session;
    }

    private async Task<string> CallAsync(string session, int id, int length)
    {
        using var answered = await PostAsync(session, new JsonObject
        {
            ["jsonrpc"] = "2.0",
            ["id"] = id,
            ["method"] = "tools/call",
            ["params"] = new JsonObject { ["name"] = "wait", ["arguments"] = new JsonObject { ["length"] = length } },
        });
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
        return await answered.Content.ReadAsStringAsync();
    }

    private Task<HttpResponseMessage> PostAsync(string? session, JsonObject body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, _endpoint) { Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json") };
        request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
        if (session is not null)
            request.Headers.TryAddWithoutValidation("Mcp-Session-Id", session);
        return _http.SendAsync(request);
    }

    private sealed class Gate
    {
        public SemaphoreSlim Begun { get; } = new(0);

        public TaskCompletionSource Open { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    [McpServerToolType]
    private sealed class GatedTools(Gate gate)
    {
        [McpServerTool(Name = "wait")]
        public async Task<string> WaitAsync(int length)
        {
            gate.Begun.Release();
            await gate.Open.Task;
            return new string('x', length);
        }
    }
}
