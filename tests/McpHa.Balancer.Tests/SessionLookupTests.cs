using System.Net;
using System.Text.Json;
using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace McpHa.Tests;

/// <summary>A session's id is enough to see its owners.</summary>
public class SessionLookupTests
{
    private const string TraceId = "0af7651916cd43dd8448eb211c80319c";

    private readonly InMemorySessions _sessions = new(TimeProvider.System, Options.Create(new SessionStoreOptions()));
    private readonly string _id = SessionIds.New("a");

    [Fact]
    public async Task The_page_shows_its_hops_and_a_link_to_its_trace_and_nothing_of_its_user()
    {
        await using var bench = await StartAsync();
        await bench.AddAsync("b");

        using var response = await LookUpAsync(bench, _id, "text/html");
        var page = await response.Content.ReadAsStringAsync();

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Contains(" is at <b>b</b>, epoch 2", page, StringComparison.Ordinal);
        Assert.Contains("<td>a</td><td>b</td><td>owner lost</td><td class=\"n\">12 ms</td>", page, StringComparison.Ordinal);
        Assert.Contains($"href=\"http://dashboard:18888/traces/detail/{TraceId}\"", page, StringComparison.Ordinal);
        foreach (var secret in new[] { _id, "user-4711", "a-client" })
            Assert.DoesNotContain(secret, page, StringComparison.Ordinal);
        Assert.Equal("no-store", response.Headers.CacheControl!.ToString());
    }

    [Fact]
    public async Task The_same_comes_as_json()
    {
        await using var bench = await StartAsync();
        using var response = await LookUpAsync(bench, $" {_id} ", "application/json");
        var text = await response.Content.ReadAsStringAsync();
        using var json = JsonDocument.Parse(text);
        Assert.Equal(
            ("served", "b", "lost", 2, $"http://dashboard:18888/traces/detail/{TraceId}"),
            (json.RootElement.GetProperty("state").GetString(), json.RootElement.GetProperty("owner").GetString(), json.RootElement.GetProperty("ownerState").GetString(),
                json.RootElement.GetProperty("epoch").GetInt32(), json.RootElement.GetProperty("trace").GetString()));
        Assert.DoesNotContain(_id, text, StringComparison.Ordinal);
        Assert.DoesNotContain("user-4711", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no id at all", HttpStatusCode.BadRequest, "invalid")]
    [InlineData("", HttpStatusCode.BadRequest, "invalid")]
    [InlineData("a1b2-00000000000000000000000000000000", HttpStatusCode.NotFound, "unknown")]
    public async Task What_is_not_there_is_not_found(string id, HttpStatusCode status, string state)
    {
        await using var bench = await StartAsync();
        using var response = await LookUpAsync(bench, id, "application/json");
        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal((status, state), (response.StatusCode, json.RootElement.GetProperty("state").GetString()));
    }

    [Fact]
    public async Task An_ended_session_says_so_and_a_large_body_is_refused()
    {
        await using var bench = await StartAsync();
        await new InMemorySessionStore(_sessions).EndAsync(_id, 2);
        using var ended = await LookUpAsync(bench, _id, "text/html");
        Assert.Contains("has ended", await ended.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var large = await LookUpAsync(bench, new string('a', 2000), "text/html");
        Assert.Equal(HttpStatusCode.BadRequest, large.StatusCode);
    }

    [Theory]
    [InlineData("multipart/form-data", "id=x")]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nx")]
    [InlineData("application/json", "{}")]
    [InlineData("text/plain", "id=x")]
    public async Task What_is_no_form_is_refused(string type, string body)
    {
        await using var bench = await StartAsync();
        using var content = new ByteArrayContent(System.Text.Encoding.ASCII.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var response = await bench.Client.PostAsync(new Uri("/status/session", UriKind.Relative), content);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("form field 'id'", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    private async Task<BalancerBench> StartAsync()
    {
        var store = new InMemorySessionStore(_sessions);
        await store.CreateAsync(new()
        {
            Id = _id,
            Owner = "a",
            Epoch = 1,
            User = "user-4711",
            ProtocolVersion = "2025-11-25",
            TraceParent = $"00-{TraceId}-b7ad6b7169203331-01",
            Created = DateTimeOffset.UtcNow,
            Handshake = new Dictionary<string, ReadOnlyMemory<byte>> { [HandshakeKeys.Initialize] = "{\"clientInfo\":\"a-client\"}"u8.ToArray() },
        });
        await store.TakeOverAsync(_id, 1, "b");
        await store.CommitAsync(_id, new() { Epoch = 2, Number = 1, LastPosition = 0, TakeOverTook = TimeSpan.FromMilliseconds(12) });
        return await BalancerBench.StartAsync(
            o => o.Dashboard = new("http://dashboard:18888"), services => services.AddSingleton<ISessionLookup>(new InMemorySessionLookup(_sessions)));
    }

    private static Task<HttpResponseMessage> LookUpAsync(BalancerBench bench, string id, string accept)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/status/session") { Content = new FormUrlEncodedContent([new("id", id)]) };
        request.Headers.Accept.ParseAdd(accept);
        return bench.SendAsync(request);
    }
}
