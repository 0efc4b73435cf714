using System.Diagnostics;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using ModelContextProtocol;

namespace McpHa.Tests;

/// <summary>The application under Aspire, and a client of the C# SDK that goes through its balancer.</summary>
public sealed class ApplicationTests(ApplicationFixture application) : IClassFixture<ApplicationFixture>, IAsyncLifetime
{
    private Session _session = null!;

    public async ValueTask InitializeAsync()
    {
        await application.AllHealthyAsync();
        _session = await Session.OpenAsync(application.McpEndpoint);
    }

    public async ValueTask DisposeAsync() => await (_session?.DisposeAsync() ?? default);

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task All_resources_are_healthy_and_the_dashboard_links_to_the_cluster_page_and_the_MCP_endpoint()
    {
        await AssertHealthyAsync(["redis", "balancer", .. ApplicationFixture.Replicas]);

        var balancer = await application.NowAsync("balancer");
        var links = balancer.Urls.ToDictionary(url => url.DisplayProperties.DisplayName, url => url.Url);
        Assert.Equal(application.McpEndpoint.ToString(), links["MCP endpoint"]);
        Assert.Equal(new Uri(application.McpEndpoint, "/"), new Uri(links["Cluster page"]));
        Assert.Equal(ApplicationFixture.Dashboard.ToString(), balancer.EnvironmentVariables.Single(variable => variable.Name == "Balancer__Dashboard").Value);
        await application.UntilAsync("server", cluster => cluster.State?.Text == KnownResourceStates.Running && HealthyReplicas(cluster) == ApplicationFixture.Replicas.Length);
        foreach (var replica in ApplicationFixture.Replicas)
            Assert.Equal(["drain", "kill", "resume"], OwnCommands(await application.NowAsync(replica)));
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task The_console_says_which_store_it_is_where_the_cluster_is_and_how_to_kill_a_replica()
    {
        const string Hint = "See a call survive";
        await Wait.UntilAsync(() => application.Printed.Any(message => message.StartsWith(Hint, StringComparison.Ordinal)), "the last line of the start");

        Assert.Contains(application.Printed, message => message.StartsWith("Store 'redis': ", StringComparison.Ordinal));
        var ready = application.Printed.Single(message => message.StartsWith("Ready after ", StringComparison.Ordinal)).ReplaceLineEndings("\n").Split('\n');
        Assert.Equal($"MCP endpoint: {application.McpEndpoint}", ready[1]);
        Assert.Equal($"Cluster page: {new Uri(application.McpEndpoint, "/")}", ready[2]);
        Assert.Contains("'Kill process' of server-1 in the dashboard, or 'aspire resource server-1 kill'", ready[3], StringComparison.Ordinal);
        Assert.Equal(
            $"{Hint} the kill of its replica: './run --kill --url {application.McpEndpoint}'.",
            application.Printed.Single(message => message.StartsWith(Hint, StringComparison.Ordinal)));
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task A_session_goes_on_when_its_replica_is_stopped_and_started_again()
    {
        Assert.Equal(1, await _session.CountAsync());
        var owner = await _session.OwnerAsync();

        await application.CommandAsync(owner.Resource, KnownResourceCommands.StopCommand);

        Assert.Equal(2, await _session.CountAsync());
        Assert.NotEqual(owner.Resource, (await _session.OwnerAsync()).Resource);

        await application.StartAsync(owner.Resource);
        Assert.Equal(3, await _session.CountAsync());
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task A_session_and_its_call_go_on_when_the_process_of_its_replica_is_killed_and_the_replica_starts_by_itself()
    {
        Assert.Equal(1, await _session.CountAsync());
        var owner = await _session.OwnerAsync();
        var progress = new Progress();
        var call = _session.CountdownAsync(progress);
        await Wait.UntilAsync(() => progress.Steps.Count >= 3, "some progress");

        Process.GetProcessById(owner.ProcessId).Kill();

        Assert.Equal("liftoff", await call.WaitAsync(Wait.Limit));

        // Each once. The SDK's client handles notifications side by side, so their order says nothing.
        Assert.Equal(progress.Steps.Distinct().Order(), progress.Steps.Order());
        Assert.Equal(2, await _session.CountAsync());
        Assert.NotEqual(owner.Resource, (await _session.OwnerAsync()).Resource);

        await application.RestartedAsync(owner);
        Assert.Equal(3, await _session.CountAsync());
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task The_kill_command_kills_one_replica_and_says_where_its_sessions_go_on()
    {
        Assert.Equal(1, await _session.CountAsync());
        var owner = await _session.OwnerAsync();

        var result = await application.CommandAsync(owner.Resource, "kill", Argument("restart", InputType.Boolean, "false"));

        Assert.Contains($"{owner.Replica} is dead: process {owner.ProcessId} was killed", result.Message, StringComparison.Ordinal);
        Assert.Equal(2, await _session.CountAsync());
        var next = await _session.OwnerAsync();
        Assert.Contains(next.Replica, result.Message, StringComparison.Ordinal);
        var value = Value(result);
        Assert.Equal(owner.ProcessId, value.GetProperty("processId").GetInt32());
        Assert.False(value.GetProperty("restarts").GetBoolean());
        Assert.Contains(next.Replica, value.GetProperty("continueIn").EnumerateArray().Select(replica => replica.GetString()));
        await AssertHealthyAsync([next.Resource]);
        await application.StartAsync(owner.Resource);
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task A_drained_replica_is_the_only_one_that_is_unhealthy_until_it_is_resumed()
    {
        Assert.Equal(1, await _session.CountAsync());
        var owner = await _session.OwnerAsync();

        var drained = await application.CommandAsync(owner.Resource, "drain", Argument("timeout", InputType.Number, "60"));

        Assert.Contains($"{owner.Replica} is drained", drained.Message, StringComparison.Ordinal);
        Assert.True(Value(drained).GetProperty("drained").GetBoolean());
        Assert.Equal(2, await _session.CountAsync());
        Assert.NotEqual(owner.Resource, (await _session.OwnerAsync()).Resource);
        // Aspire asks a healthy resource every 30 seconds.
        await application.UntilAsync(owner.Resource, replica => !ApplicationFixture.IsHealthy(replica));
        await AssertHealthyAsync(ApplicationFixture.Replicas.Where(name => name != owner.Resource));

        await application.CommandAsync(owner.Resource, "resume");
        await application.UntilAsync(owner.Resource, ApplicationFixture.IsHealthy);
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task The_cluster_is_scaled_up_by_a_spare_replica_and_down_by_a_drain()
    {
        Assert.Equal(KnownResourceStates.NotStarted, (await application.NowAsync(ApplicationFixture.SpareReplica)).State?.Text);

        var up = await application.CommandAsync("server", "scale", Argument("replicas", InputType.Number, "4"));

        Assert.Equal(["server-4"], Value(up).GetProperty("started").EnumerateArray().Select(replica => replica.GetString()));
        await application.UntilAsync(ApplicationFixture.SpareReplica, ApplicationFixture.IsHealthy);
        await application.UntilAsync("server", cluster => HealthyReplicas(cluster) == 4);

        var down = await application.CommandAsync("server", "scale", Argument("replicas", InputType.Number, "3"));

        Assert.Equal(["server-4"], Value(down).GetProperty("stopped").EnumerateArray().Select(replica => replica.GetString()));
        await application.UntilAsync(ApplicationFixture.SpareReplica, ApplicationFixture.IsDead);
        Assert.Equal(1, await _session.CountAsync());
    }

    private async Task AssertHealthyAsync(IEnumerable<string> resources)
    {
        foreach (var resource in resources)
            Assert.True(ApplicationFixture.IsHealthy(await application.NowAsync(resource)), resource);
    }

    private static InteractionInput Argument(string name, InputType type, string value) => new() { Name = name, InputType = type, Value = value };

    private static JsonElement Value(ExecuteCommandResult result) => JsonSerializer.Deserialize<JsonElement>(result.Data!.Value);

    private static int HealthyReplicas(CustomResourceSnapshot cluster) =>
        (int)cluster.Properties.Single(property => property.Name == "Healthy replicas").Value!;

    private static IEnumerable<string> OwnCommands(CustomResourceSnapshot resource) => resource.Commands
        .Where(command => command.Name is "drain" or "resume" or "kill" && command.State == ResourceCommandState.Enabled)
        .Select(command => command.Name)
        .Order();

    // Reports at once and in order, which Progress<T> of the framework does not.
    private sealed class Progress : IProgress<ProgressNotificationValue>
    {
        private readonly Lock _gate = new();
        private readonly List<float> _steps = [];

        public IReadOnlyList<float> Steps
        {
            get
            {
                lock (_gate)
                    return [.. _steps];
            }
        }

        public void Report(ProgressNotificationValue value)
        {
            lock (_gate)
                _steps.Add(value.Progress);
        }
    }
}
