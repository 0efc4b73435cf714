using McpHa.Tests.Clients;

namespace McpHa.Tests.Browser.Dashboard;

/// <summary>A session whose owner is killed in the middle of a call, on real processes that export to the Aspire dashboard.</summary>
public sealed class FailoverStory : IAsyncLifetime
{
    private LabCluster? _cluster;
    private string? _missing;

    /// <summary>The session, as its client knows it.</summary>
    public string Session { get; private set; } = "";

    /// <summary>The replica that opened the session, and was killed.</summary>
    public string First { get; private set; } = "";

    /// <summary>The replica that took it over.</summary>
    public string Second { get; private set; } = "";

    /// <summary>How the dashboard names a replica: the name of its service.</summary>
    public static string Resource(string replica) => replica.Split('-')[0];

    /// <summary>The dashboard; skips the test where there is none.</summary>
    public Uri Dashboard
    {
        get
        {
            Assert.SkipWhen(_missing is not null, _missing ?? "");
            return _cluster!.State.Dashboard!;
        }
    }

    public async ValueTask InitializeAsync()
    {
        _missing = BrowserFixture.Unavailable;
        if (_missing is not null)
            return;
        try
        {
            _cluster = await DashboardCluster.StartAsync(new()
            {
                Restart = false,
                Environment = new Dictionary<string, string?> { ["Logging__LogLevel__Mcp.HighAvailability.Sessions"] = "Debug" },
            });
        }
        catch (Xunit.Sdk.SkipException e)
        {
            _missing = e.Message;
            return;
        }

        await using var client = await CSharpClient.ConnectAsync(_cluster.Endpoint, session: null);
        Session = client.SessionId!;
        First = await client.OwnerAsync();
        await IsKnownAsync("session create");
        var call = client.Call("countdown", new { seconds = 2, intervalMs = 100 });
        await Wait.UntilAsync(() => call.Progress.Count >= 3, "some progress");
        _cluster.Kill(First);
        Assert.Equal("liftoff", (await call.Answer.WaitAsync(Wait.Limit)).Text);
        Second = await client.OwnerAsync();
        await IsKnownAsync("take over (owner lost)");
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
    }

    // What a process has not exported yet is lost with it.
    private async Task IsKnownAsync(string span)
    {
        using var http = new HttpClient();
        await Wait.UntilAsync(
            async () =>
            {
                var traces = await http.GetStringAsync(new Uri(Dashboard, "/api/telemetry/traces?limit=1000"));
                return traces.Contains(Session, StringComparison.Ordinal) && traces.Contains($"\"{span}\"", StringComparison.Ordinal);
            },
            $"'{span}' to reach the dashboard");
    }
}
