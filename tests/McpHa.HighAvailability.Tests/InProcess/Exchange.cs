using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary>An HTTP response, read as it comes.</summary>
internal sealed class Exchange(HttpResponseMessage response) : IDisposable
{
    private StreamReader? _reader;

    public HttpStatusCode Status => response.StatusCode;

    public string? ContentType => response.Content.Headers.ContentType?.MediaType;

    public bool IsStream => ContentType == "text/event-stream";

    /// <summary>Id of the last event that came.</summary>
    public string LastId { get; private set; } = "";

    /// <summary>When to come back, as the stream says; <see langword="null"/> if it does not.</summary>
    public string? Retry { get; private set; }

    public List<Event> Seen { get; } = [];

    public string? Header(string name) => response.Headers.TryGetValues(name, out var values) ? values.Single() : null;

    public Task<string> BodyAsync() => response.Content.ReadAsStringAsync().WaitAsync(Wait.Limit);

    public async Task<JsonNode> JsonAsync() => JsonNode.Parse(await BodyAsync())!;

    /// <summary>The next event, or <see langword="null"/> at a clean end. Throws <see cref="IOException"/> when the connection breaks.</summary>
    public async Task<Event?> NextAsync()
    {
        _reader ??= new StreamReader(await response.Content.ReadAsStreamAsync(), Encoding.UTF8);
        string id = "", data = "";
        while (true)
        {
            string? line;
            try
            {
                line = await _reader.ReadLineAsync().WaitAsync(Wait.Limit);
            }
            catch (HttpRequestException e)
            {
                throw new IOException("The connection broke.", e);
            }

            if (line is null)
                return null;
            if (line.StartsWith("id: ", StringComparison.Ordinal))
                LastId = id = line[4..];
            else if (line.StartsWith("retry: ", StringComparison.Ordinal))
                Retry = line[7..];
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
                data = line[6..];
            else if (line.Length == 0 && (id.Length > 0 || data.Length > 0))
                return Note(new(id, data.Length == 0 ? null : JsonNode.Parse(data)));
        }

        Event Note(Event e)
        {
            Seen.Add(e);
            return e;
        }
    }

    /// <summary>The next message; passes over priming events.</summary>
    public async Task<JsonNode> MessageAsync()
    {
        while (await NextAsync() is { } next)
        {
            if (next.Message is { } message)
                return message;
        }

        throw new InvalidOperationException("The stream ended.");
    }

    /// <summary>All messages until the clean end; of a plain answer the one.</summary>
    public async Task<List<JsonNode>> MessagesAsync()
    {
        if (!IsStream)
            return [await JsonAsync()];
        List<JsonNode> all = [];
        while (await NextAsync() is { } next)
        {
            if (next.Message is { } message)
                all.Add(message);
        }

        return all;
    }

    /// <summary>The answer to the request: the last message.</summary>
    public async Task<JsonNode> AnswerAsync() => (await MessagesAsync())[^1];

    /// <summary>Reads on until the connection breaks; nothing may come any more.</summary>
    public async Task BrokenAsync()
    {
        var before = Seen.Count;
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            while (await NextAsync() is not null)
            {
            }
        });
        Assert.Equal(before, Seen.Count);
    }

    public void Dispose() => response.Dispose();
}

/// <summary>An SSE event; one that primes has no message.</summary>
internal sealed record Event(string Id, JsonNode? Message);
