using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary>A client that hides nothing: every request is one HTTP request to the replica that the test names.</summary>
internal sealed class RawClient : IDisposable
{
    private static readonly ConditionalWeakTable<JsonNode, string> Exchanges = [];

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false });
    private int _ids;

    public string? SessionId { get; set; }

    public string Version { get; init; } = "2025-11-25";

    public string? User { get; set; }

    /// <summary>What follows the path of the endpoint.</summary>
    public string Category { get; set; } = "";

    public static async Task<RawClient> ConnectAsync(InProcessReplica replica, string version = "2025-11-25", string? user = null, string category = "")
    {
        var client = new RawClient { Version = version, User = user, Category = category };
        using var opened = await client.PostAsync(replica, client.Initialize());
        Assert.Equal(HttpStatusCode.OK, opened.Status);
        client.SessionId = opened.Header("Mcp-Session-Id");
        var result = await opened.AnswerAsync();
        Assert.Equal(version, (string?)result["result"]!["protocolVersion"]);
        using var begun = await client.PostAsync(replica, Notification("notifications/initialized"));
        Assert.Equal(HttpStatusCode.Accepted, begun.Status);
        return client;
    }

    public JsonObject Initialize() => Request("initialize", new JsonObject
    {
        ["protocolVersion"] = Version,
        ["capabilities"] = new JsonObject { ["elicitation"] = new JsonObject(), ["sampling"] = new JsonObject() },
        ["clientInfo"] = new JsonObject { ["name"] = "raw", ["version"] = "1" },
    });

    public JsonObject Request(string method, JsonObject? parameters = null, JsonNode? id = null) => new()
    {
        ["jsonrpc"] = "2.0",
        ["id"] = id ?? Interlocked.Increment(ref _ids),
        ["method"] = method,
        ["params"] = parameters ?? [],
    };

    public static JsonObject Notification(string method, JsonObject? parameters = null) =>
        new() { ["jsonrpc"] = "2.0", ["method"] = method, ["params"] = parameters ?? [] };

    public JsonObject Call(string tool, string text = "", JsonNode? id = null, bool progress = false)
    {
        var parameters = new JsonObject { ["name"] = tool, ["arguments"] = new JsonObject { ["text"] = text } };
        if (progress)
            parameters["_meta"] = new JsonObject { ["progressToken"] = "p" };
        return Request("tools/call", parameters, id);
    }

    public static JsonObject Answer(JsonNode question, string text) => new()
    {
        ["jsonrpc"] = "2.0",
        ["id"] = question["id"]!.DeepClone(),
        ["result"] = new JsonObject { ["action"] = "accept", ["content"] = new JsonObject { ["text"] = text } },
    };

    public static JsonObject Cancel(JsonNode call) =>
        Notification("notifications/cancelled", new JsonObject { ["requestId"] = call["id"]!.DeepClone() });

    /// <summary>Posts a message. The same object again is a repetition, as a load balancer makes one: it carries the same exchange id.</summary>
    public Task<Exchange> PostAsync(InProcessReplica replica, JsonNode body, Action<HttpRequestHeaders>? headers = null) =>
        PostTextAsync(replica, body.ToJsonString(), all =>
        {
            headers?.Invoke(all);
            if (!all.Contains("Mcp-Ha-Exchange"))
                all.TryAddWithoutValidation("Mcp-Ha-Exchange", ExchangeOf(body));
        });

    /// <summary>Posts a message as a client does that has no load balancer in front: without an exchange id.</summary>
    public Task<Exchange> PostPlainAsync(InProcessReplica replica, JsonNode body) => PostTextAsync(replica, body.ToJsonString());

    public Task<Exchange> PostTextAsync(InProcessReplica replica, string body, Action<HttpRequestHeaders>? headers = null, string contentType = "application/json")
    {
        var request = new HttpRequestMessage(HttpMethod.Post, replica.Endpoint + Category) { Content = new StringContent(body, Encoding.UTF8, contentType) };
        request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
        return SendAsync(request, headers);
    }

    /// <summary>Runs a call to its end: its result's text.</summary>
    public async Task<string> CallAsync(InProcessReplica replica, string tool, string text = "")
    {
        using var exchange = await PostAsync(replica, Call(tool, text));
        return TextOf(await exchange.AnswerAsync());
    }

    public Task<Exchange> GetAsync(InProcessReplica replica, string? lastEventId = null, Action<HttpRequestHeaders>? headers = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, replica.Endpoint + Category);
        request.Headers.TryAddWithoutValidation("Accept", "text/event-stream");
        if (lastEventId is not null)
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        return SendAsync(request, headers);
    }

    public Task<Exchange> DeleteAsync(InProcessReplica replica) => SendAsync(new HttpRequestMessage(HttpMethod.Delete, replica.Endpoint), null);

    public static string TextOf(JsonNode answer) => (string?)answer["result"]?["content"]?[0]?["text"] ?? throw new InvalidOperationException(answer.ToJsonString());

    /// <summary>The exchange id that a message is posted with.</summary>
    public static string ExchangeOf(JsonNode body) => Exchanges.GetValue(body, static _ => Guid.NewGuid().ToString("N"));

    public void Dispose() => _http.Dispose();

    public async Task<Exchange> SendAsync(HttpRequestMessage request, Action<HttpRequestHeaders>? headers)
    {
        if (SessionId is not null)
            request.Headers.TryAddWithoutValidation("Mcp-Session-Id", SessionId);
        if (SessionId is not null || Version == "2026-07-28")
            request.Headers.TryAddWithoutValidation("MCP-Protocol-Version", Version);
        if (User is not null)
            request.Headers.TryAddWithoutValidation(InProcessReplica.UserHeader, User);
        headers?.Invoke(request.Headers);
        return new(await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Wait.Limit));
    }
}
