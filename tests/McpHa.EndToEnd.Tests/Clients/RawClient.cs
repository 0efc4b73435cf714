using System.Net;
using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace McpHa.Tests.Clients;

/// <summary>Plain HTTP: shows what is on the wire, one request and one response at a time.</summary>
internal sealed class RawClient(Uri endpoint, HttpMessageHandler? shared = null) : IDisposable
{
    private readonly HttpClient _http = new(shared ?? new SocketsHttpHandler { UseCookies = false, UseProxy = false }, disposeHandler: shared is null) { Timeout = Timeout.InfiniteTimeSpan };

    public string? SessionId { get; set; }

    /// <summary>Bearer token; none by default.</summary>
    public string? Token { get; init; }

    /// <summary>Opens a session.</summary>
    public async Task<string> InitializeAsync(string version = "2025-11-25")
    {
        using var response = await PostAsync(Request("raw-initialize", "initialize", new
        {
            protocolVersion = version,
            capabilities = new { elicitation = new { form = new { } }, sampling = new { } },
            clientInfo = new { name = "raw-test", version = "1.0.0" },
        }));
        Assert.Equal(HttpStatusCode.OK, response.Status);
        SessionId = response.Header("Mcp-Session-Id");
        Assert.NotNull(SessionId);
        using var initialized = await PostAsync("""{"jsonrpc":"2.0","method":"notifications/initialized"}""");
        Assert.Equal(HttpStatusCode.Accepted, initialized.Status);
        return SessionId;
    }

    public static string Request(object id, string method, object? parameters = null) =>
        JsonSerializer.Serialize(new { jsonrpc = "2.0", id, method, @params = parameters ?? new { } });

    public static string ToolCall(object id, string tool, object? arguments = null, string? progressToken = null) =>
        Request(id, "tools/call", progressToken is null
            ? new { name = tool, arguments = arguments ?? new { } }
            : new { name = tool, arguments = arguments ?? new { }, _meta = new { progressToken } });

    /// <summary>Sends a POST and returns once the response has begun.</summary>
    public Task<RawResponse> PostAsync(string body, Action<HttpRequestMessage>? change = null) => PostAsync(new StringContent(body, Encoding.UTF8, "application/json"), change);

    public Task<RawResponse> PostAsync(HttpContent content, Action<HttpRequestMessage>? change = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, endpoint) { Content = content };
        request.Headers.Accept.Add(new("application/json"));
        request.Headers.Accept.Add(new("text/event-stream"));
        return SendAsync(request, change);
    }

    /// <summary>Opens a GET stream, or goes on with any stream behind an event.</summary>
    public Task<RawResponse> GetAsync(string? lastEventId = null, Action<HttpRequestMessage>? change = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, endpoint);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        if (lastEventId is not null)
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        return SendAsync(request, change);
    }

    public Task<RawResponse> DeleteAsync() => SendAsync(new HttpRequestMessage(HttpMethod.Delete, endpoint), null);

    /// <summary>Calls a tool and returns the whole answer message.</summary>
    public async Task<JsonNode> CallAsync(object id, string tool, object? arguments = null)
    {
        using var response = await PostAsync(ToolCall(id, tool, arguments));
        return await response.AnswerAsync();
    }

    public void Dispose() => _http.Dispose();

    private async Task<RawResponse> SendAsync(HttpRequestMessage request, Action<HttpRequestMessage>? change)
    {
        if (SessionId is not null)
            request.Headers.TryAddWithoutValidation("Mcp-Session-Id", SessionId);
        if (Token is not null)
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + Token);
        change?.Invoke(request);
        return new(await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead));
    }
}

/// <summary>One HTTP response, read as it comes in.</summary>
internal sealed class RawResponse : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly List<RawEvent> _events = [];
    private Task? _reading;

    public RawResponse(HttpResponseMessage response) => _response = response;

    public HttpStatusCode Status => _response.StatusCode;

    public bool IsStream => _response.Content.Headers.ContentType?.MediaType == "text/event-stream";

    public IEnumerable<string> HeaderNames => _response.Headers.Concat(_response.Content.Headers).Select(h => h.Key);

    public string? Header(string name) => _response.Headers.TryGetValues(name, out var values) ? values.Single() : null;

    /// <summary>Events that have arrived.</summary>
    public IReadOnlyList<RawEvent> Events
    {
        get
        {
            _ = Read();
            lock (_events)
                return [.. _events];
        }
    }

    public IReadOnlyList<JsonNode> Messages => [.. Events.Where(e => e.Message is not null).Select(e => e.Message!)];

    /// <summary>Id of the last event that has arrived.</summary>
    public string LastEventId => Events.Last(e => e.Id is not null).Id!;

    /// <summary>Completes when the response ends; fails when it breaks.</summary>
    public Task Read() => _reading ??= ReadAsync();

    public async Task<RawEvent> EventAsync(Func<RawEvent, bool> wanted, string what)
    {
        await Wait.UntilAsync(() => Events.Any(wanted), what);
        return Events.First(wanted);
    }

    /// <summary>The JSON body, or the last message of the stream, once the response has ended.</summary>
    public async Task<JsonNode> AnswerAsync()
    {
        if (!IsStream)
            return JsonNode.Parse(await _response.Content.ReadAsStringAsync())!;
        await Read();
        return Messages[^1];
    }

    public void Dispose() => _response.Dispose();

    private async Task ReadAsync()
    {
        var parser = SseParser.Create(await _response.Content.ReadAsStreamAsync());
        await foreach (var item in parser.EnumerateAsync())
        {
            lock (_events)
                _events.Add(item.EventType == "endpoint" ? new(item.EventId, null) { Endpoint = item.Data } : new(item.EventId, item.Data.Length > 0 ? JsonNode.Parse(item.Data) : null));
        }
    }
}

/// <summary>An event of a stream; without a message it only says from where to resume.</summary>
internal sealed record RawEvent(string? Id, JsonNode? Message)
{
    /// <summary>Of the first event of HTTP+SSE: where messages are posted to.</summary>
    public string? Endpoint { get; init; }

    public string? Method => (string?)Message?["method"];

    public double? Progress => Method == "notifications/progress" ? (double)Message!["params"]!["progress"]! : null;

    public string? Announcement => Method == "notifications/message" ? (string?)Message!["params"]!["data"] : null;
}
