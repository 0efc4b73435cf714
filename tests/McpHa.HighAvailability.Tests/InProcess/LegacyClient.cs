using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary>A client of HTTP+SSE that hides nothing: every request is one HTTP request to the replica that the test names.</summary>
internal sealed class LegacyClient : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseCookies = false });
    private readonly RawClient _messages = new() { Version = "2024-11-05" };

    public string? User { get; init; }

    /// <summary>Where the stream is.</summary>
    public string Path { get; init; } = "/mcp/sse";

    /// <summary>Where messages are posted to, as the first event said.</summary>
    public string Address { get; private set; } = "";

    public string SessionId => Address[(Address.IndexOf('=', StringComparison.Ordinal) + 1)..];

    /// <summary>Opens the stream and reads its first event.</summary>
    public async Task<LegacyStream> OpenAsync(InProcessReplica replica)
    {
        var stream = await GetAsync(replica);
        Assert.Equal(HttpStatusCode.OK, stream.Status);
        var first = await stream.NextAsync();
        Assert.Equal("endpoint", first?.Type);
        Address = first!.Data;
        return stream;
    }

    /// <summary>Opens the stream and the session on it.</summary>
    public async Task<LegacyStream> ConnectAsync(InProcessReplica replica)
    {
        var stream = await OpenAsync(replica);
        var initialize = _messages.Initialize();
        await AcceptedAsync(replica, initialize);
        var answer = await stream.MessageAsync();
        Assert.Equal((int)initialize["id"]!, (int)answer["id"]!);
        Assert.Equal("2024-11-05", (string?)answer["result"]!["protocolVersion"]);
        await AcceptedAsync(replica, RawClient.Notification("notifications/initialized"));
        return stream;
    }

    public JsonObject Call(string tool, string text = "", bool progress = false) => _messages.Call(tool, text, progress: progress);

    public JsonObject Request(string method, JsonObject? parameters = null) => _messages.Request(method, parameters);

    public async Task AcceptedAsync(InProcessReplica replica, JsonNode message)
    {
        using var response = await PostAsync(replica, message.ToJsonString(), exchange: RawClient.ExchangeOf(message));
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
    }

    public Task<HttpResponseMessage> PostAsync(InProcessReplica replica, string body, string? address = null, string contentType = "application/json", string? exchange = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(replica.Endpoint, address ?? Address)) { Content = new StringContent(body, Encoding.UTF8, contentType) };
        if (exchange is not null)
            request.Headers.TryAddWithoutValidation("Mcp-Ha-Exchange", exchange);
        return SendAsync(request);
    }

    /// <summary>Goes on with the stream as a relay does.</summary>
    public Task<LegacyStream> ResumeAsync(InProcessReplica replica, string lastEventId) => GetAsync(replica, request =>
    {
        request.Headers.TryAddWithoutValidation("Mcp-Session-Id", SessionId);
        request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
    });

    public async Task<LegacyStream> GetAsync(InProcessReplica replica, Action<HttpRequestMessage>? change = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(replica.Endpoint, Path));
        request.Headers.TryAddWithoutValidation("Accept", "text/event-stream");
        change?.Invoke(request);
        return new(await SendAsync(request));
    }

    public void Dispose()
    {
        _http.Dispose();
        _messages.Dispose();
    }

    private Task<HttpResponseMessage> SendAsync(HttpRequestMessage request)
    {
        if (User is not null)
            request.Headers.TryAddWithoutValidation(InProcessReplica.UserHeader, User);
        return _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Wait.Limit);
    }
}

/// <summary>An event as it is on the wire.</summary>
internal sealed record LegacyEvent(string Id, string Type, string Data);

/// <summary>The stream of a session, read as it comes.</summary>
internal sealed class LegacyStream(HttpResponseMessage response) : IDisposable
{
    private StreamReader? _reader;

    public HttpStatusCode Status => response.StatusCode;

    public HttpResponseMessage Response => response;

    public string LastId { get; private set; } = "";

    /// <summary>The next event; <see langword="null"/> at the end, clean or not.</summary>
    public async Task<LegacyEvent?> NextAsync()
    {
        _reader ??= new StreamReader(await response.Content.ReadAsStreamAsync());
        string id = "", type = "", data = "";
        try
        {
            while (await _reader.ReadLineAsync().WaitAsync(Wait.Limit) is { } line)
            {
                if (line.StartsWith("id: ", StringComparison.Ordinal))
                    LastId = id = line[4..];
                else if (line.StartsWith("event: ", StringComparison.Ordinal))
                    type = line[7..];
                else if (line.StartsWith("data: ", StringComparison.Ordinal))
                    data = line[6..];
                else if (line.Length == 0 && type.Length > 0)
                    return new(id, type, data);
            }
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            // Broken.
        }

        return null;
    }

    public async Task<JsonNode> MessageAsync()
    {
        var next = await NextAsync() ?? throw new InvalidOperationException("The stream ended.");
        Assert.Equal("message", next.Type);
        return JsonNode.Parse(next.Data)!;
    }

    public async Task<string> TextAsync() => RawClient.TextOf(await MessageAsync());

    public void Dispose() => response.Dispose();
}
