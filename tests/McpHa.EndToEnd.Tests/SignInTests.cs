using System.Net;
using System.Text.Json.Nodes;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>Real tokens, real replicas: a session is its user's, also after its owner was killed.</summary>
[Collection(ClusterCollection.Name)] // not beside the others
public sealed class SignInTests(SignInTests.SignedIn fixture) : IClassFixture<SignInTests.SignedIn>
{
    private const string Resource = "https://mcp.example.com/mcp";

    private TokenIssuer Issuer => fixture.Issuer;

    private LabCluster Cluster => fixture.Cluster;

    [Fact]
    public async Task A_session_is_its_users_on_every_replica_and_after_the_death_of_its_owner()
    {
        using var ada = Client(Cluster.Endpoint, Issuer.Issue("ada", Resource));
        var session = await ada.InitializeAsync();
        await OthersAreForbiddenAsync(session);

        // In the middle of a call; the first request afterwards comes from another user.
        using var call = await ada.PostAsync(RawClient.ToolCall(7, "countdown", new { seconds = 3, intervalMs = 200 }, "p"));
        var step = await call.EventAsync(e => e.Progress is not null, "a step of the countdown");
        Owner.From((await ada.CallAsync("where", "where_am_i"))["result"]!["structuredContent"]!).Kill();
        await OthersAreForbiddenAsync(session, step.Id);

        Assert.Equal("liftoff", (string)(await call.AnswerAsync())["result"]!["content"]![0]!["text"]!);

        // The same user with another token, which is what a refresh is.
        using var refreshed = Client(Cluster.Endpoint, Issuer.Issue("ada", Resource), session);
        Assert.NotNull((await refreshed.CallAsync("again", "where_am_i"))["result"]);
        using var deleted = await refreshed.DeleteAsync();
        Assert.Equal(HttpStatusCode.OK, deleted.Status);
    }

    [Fact]
    public async Task A_session_of_the_older_transport_is_its_users_on_every_replica_and_after_the_death_of_its_owner()
    {
        using var reader = Client(new Uri(Cluster.Endpoint, "/mcp/sse"), Issuer.Issue("ada", Resource));
        using var stream = await reader.GetAsync();
        var address = (await stream.EventAsync(e => e.Endpoint is not null, "the address")).Endpoint!;
        await SayAsync(RawClient.Request(1, "initialize", new { protocolVersion = "2024-11-05", capabilities = new { }, clientInfo = new { name = "raw", version = "1" } }));
        await stream.EventAsync(e => (int?)e.Message?["id"] == 1, "the answer to initialize");
        await SayAsync(RawClient.ToolCall(2, "where_am_i"));
        var where = await stream.EventAsync(e => (int?)e.Message?["id"] == 2, "the owner");
        await EveIsForbiddenAsync();

        Owner.From(where.Message!["result"]!["structuredContent"]!).Kill();
        await EveIsForbiddenAsync();
        await SayAsync(RawClient.ToolCall(3, "where_am_i"));
        var after = await stream.EventAsync(e => (int?)e.Message?["id"] == 3, "the next owner, on the same response");
        Assert.Equal(2, (int)after.Message!["result"]!["structuredContent"]!["epoch"]!);

        async Task SayAsync(string message)
        {
            using var ada = Client(new Uri(Cluster.Endpoint, address), Issuer.Issue("ada", Resource));
            using var said = await ada.PostAsync(message);
            Assert.Equal(HttpStatusCode.Accepted, said.Status);
        }

        async Task EveIsForbiddenAsync()
        {
            var replicas = Cluster.State.Replicas.Where(r => Processes.IsUp(r.Pid)).Select(LabCluster.EndpointOf);
            foreach (var endpoint in replicas.Prepend(Cluster.Endpoint))
            {
                using var eve = Client(new Uri(endpoint, address), Issuer.Issue("eve", Resource));
                using var said = await eve.PostAsync(RawClient.ToolCall(4, "where_am_i"));
                using var listener = Client(new Uri(endpoint, "/mcp/sse"), Issuer.Issue("eve", Resource), address[(address.IndexOf('=', StringComparison.Ordinal) + 1)..]);
                using var heard = await listener.GetAsync("g1x1-0");
                Assert.Equal((HttpStatusCode.Forbidden, HttpStatusCode.Forbidden), (said.Status, heard.Status));
            }
        }
    }

    [Fact]
    public async Task Who_brings_no_good_token_is_told_where_to_get_one()
    {
        foreach (var token in new[]
        {
            null, "nonsense", Issuer.Issue("ada", "https://other.example.com"), Issuer.Issue("ada", Resource, TimeSpan.FromHours(-1)),
            Issuer.Issue("ada", Resource, issuer: "https://evil.example.com"), Issuer.Issue("ada", Resource)[..^4] + "AAAA",
        })
        {
            foreach (var endpoint in new[] { Cluster.Endpoint, LabCluster.EndpointOf(Cluster.State.Replicas.First(r => Processes.IsUp(r.Pid))) })
            {
                using var client = Client(endpoint, token);
                using var refused = await client.PostAsync(RawClient.Request(1, "initialize"));
                Assert.Equal(HttpStatusCode.Unauthorized, refused.Status);
                Assert.Contains("resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"", refused.Header("WWW-Authenticate"), StringComparison.Ordinal);
            }
        }

        using var http = new HttpClient();
        foreach (var path in new[] { "/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource" })
        {
            var metadata = JsonNode.Parse(await http.GetStringAsync(new Uri(Cluster.Endpoint, path)))!;
            Assert.Equal(Resource, (string?)metadata["resource"]);
            Assert.Equal(Issuer.Address, (string?)metadata["authorization_servers"]![0]);
        }

        using var nameless = Client(Cluster.Endpoint, Issuer.Issue(null, Resource));
        using var unknown = await nameless.PostAsync(RawClient.Request(1, "initialize"));
        Assert.Equal(HttpStatusCode.Forbidden, unknown.Status);
    }

    [Fact]
    public async Task Sign_in_that_is_half_set_up_keeps_the_server_from_starting()
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        var (exitCode, output) = await LabCluster.StartAndFailAsync(new()
        {
            Replicas = 1,
            Environment = new Dictionary<string, string?> { ["Bearer__Enabled"] = "true", ["Bearer__Resource"] = Resource },
        });
        Assert.NotEqual(0, exitCode);
        Assert.Contains("Bearer:Authority is ''", output, StringComparison.Ordinal);
    }

    private async Task OthersAreForbiddenAsync(string session, string? lastEventId = null)
    {
        var replicas = Cluster.State.Replicas.Where(r => Processes.IsUp(r.Pid)).Select(LabCluster.EndpointOf);
        foreach (var endpoint in replicas.Prepend(Cluster.Endpoint))
        {
            using var eve = Client(endpoint, Issuer.Issue("eve", Resource), session);
            using var post = await eve.PostAsync(RawClient.ToolCall(8, "where_am_i"));
            using var get = await eve.GetAsync();
            using var resume = await eve.GetAsync(lastEventId ?? "c1x1-0");
            using var delete = await eve.DeleteAsync();
            Assert.All([post, get, resume, delete], response => Assert.Equal(HttpStatusCode.Forbidden, response.Status));
        }
    }

    private static RawClient Client(Uri endpoint, string? token, string? session = null) => new(endpoint) { SessionId = session, Token = token };

    /// <summary>Three replicas that want a token, for all of these tests.</summary>
    public sealed class SignedIn : IAsyncLifetime
    {
        private LabCluster? _cluster;

        internal TokenIssuer Issuer { get; } = new();

        public LabCluster Cluster
        {
            get
            {
                Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
                return _cluster!;
            }
        }

        public async ValueTask InitializeAsync()
        {
            if (LabCluster.Unavailable is null)
            {
                _cluster = await LabCluster.StartAsync(new()
                {
                    Environment = new Dictionary<string, string?> { ["Bearer__Enabled"] = "true", ["Bearer__Authority"] = Issuer.Address, ["Bearer__Resource"] = Resource, ["HighAvailability__EnableLegacySse"] = "true" },
                });
            }
        }

        public async ValueTask DisposeAsync()
        {
            if (_cluster is not null)
                await _cluster.DisposeAsync();
            Issuer.Dispose();
        }
    }
}
