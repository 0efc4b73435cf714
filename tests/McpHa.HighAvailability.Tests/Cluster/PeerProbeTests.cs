using System.Net;
using System.Net.Sockets;
using System.Text.Encodings.Web;
using Mcp.HighAvailability.Cluster;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace McpHa.Tests.Cluster;

/// <summary>A replica is asked directly whether it is there.</summary>
public sealed class PeerProbeTests : IDisposable
{
    private readonly PeerProbe _probe = Create(patience: Wait.Limit);

    public void Dispose() => _probe.Dispose();

    [Fact]
    public async Task A_replica_says_whether_it_drains_and_whether_its_store_is_away()
    {
        await using var cluster = await InProcessCluster.StartAsync(2);
        var peer = cluster[0].Get<ReplicaDirectory>().Find("replica-b")!;
        Assert.Equal(new ProbeAnswer.Answered("replica-b", false, false), await _probe.AskAsync(peer));

        cluster.Registry.IsAway = true;
        await cluster[1].Get<ReplicaDirectory>().RefreshAsync();
        cluster[1].Get<SelfReplica>().Draining = true;
        Assert.Equal(new ProbeAnswer.Answered("replica-b", true, true), await _probe.AskAsync(peer));
    }

    [Fact]
    public async Task Nobody_there_or_somebody_else_is_known_at_once_and_silence_after_a_while()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        var here = cluster[0].Get<SelfReplica>().Describe()!;
        Assert.Equal(new ProbeAnswer.Unreachable(Refused: true), await _probe.AskAsync(here with { Id = "replica-of-yesterday" }));
        Assert.Equal(new ProbeAnswer.Unreachable(Refused: true), await _probe.AskAsync(here with { Address = new Uri("http://127.0.0.1:1") }));

        // A paused process: its kernel takes the connection, and that is all.
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var silent = here with { Address = new Uri($"http://{listener.LocalEndpoint}") };
        using var impatient = Create(patience: TimeSpan.FromSeconds(1));
        Assert.Equal(new ProbeAnswer.Unreachable(Refused: false), await impatient.AskAsync(silent));
    }

    [Fact]
    public async Task Whoever_does_not_know_the_replica_finds_what_the_application_has_there()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var http = new HttpClient { BaseAddress = cluster[0].Endpoint };
        using var outsider = await http.GetAsync(PeerProbe.Path);
        Assert.Equal(HttpStatusCode.NotFound, outsider.StatusCode);

        using var request = new HttpRequestMessage(HttpMethod.Get, PeerProbe.Path) { Headers = { { PeerProbe.Header, "a guess" } } };
        using var guessed = await http.SendAsync(request);
        Assert.Equal(HttpStatusCode.MisdirectedRequest, guessed.StatusCode);
        Assert.Equal("", await guessed.Content.ReadAsStringAsync());
        Assert.DoesNotContain("replica-a", guessed.Headers.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_answers_under_a_path_base_and_past_the_applications_authorization()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddAuthentication().AddScheme<NobodyOptions, Nobody>("nobody", null);
        builder.Services.AddAuthorizationBuilder().SetFallbackPolicy(new AuthorizationPolicyBuilder("nobody").RequireAuthenticatedUser().Build());
        builder.Services.AddMcpServer().WithHighAvailability();
        await using var app = builder.Build();
        app.UsePathBase("/behind");
        app.UseRouting();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapHighlyAvailableMcp("/mcp").RequireAuthorization();
        await app.StartAsync();

        using var http = new HttpClient();
        using var post = new HttpRequestMessage(HttpMethod.Post, app.Urls.Single() + "/behind/mcp");
        using var refused = await http.SendAsync(post);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        var self = app.Services.GetRequiredService<SelfReplica>().Describe()!;
        Assert.IsType<ProbeAnswer.Answered>(await _probe.AskAsync(self));
    }

    private static PeerProbe Create(TimeSpan patience) =>
        new(Options.Create(new ClusterOptions { HeartbeatInterval = TimeSpan.Zero, Overdue = patience }), TimeProvider.System);

    private sealed class NobodyOptions : AuthenticationSchemeOptions;

    private sealed class Nobody(
        IOptionsMonitor<NobodyOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<NobodyOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() =>
            Task.FromResult(AuthenticateResult.NoResult());
    }
}
