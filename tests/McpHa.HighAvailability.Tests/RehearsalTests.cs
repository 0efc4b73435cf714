using McpHa.HighAvailability.Journal;
using McpHa.HighAvailability.Relay;
using McpHa.HighAvailability.Sessions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace McpHa.Tests;

/// <summary>What warms a process up fails silently in production, so here it must not fail at all.</summary>
public sealed class RehearsalTests : IAsyncDisposable
{
    private readonly WebApplication _app;

    public RehearsalTests()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddMcpServer().WithHighAvailability();
        _app = builder.Build();
    }

    [Fact]
    public async Task A_take_over_is_rehearsed_to_its_end_and_leaves_no_session_behind()
    {
        await Find<Rehearsal>().ServeAsync(default);

        Assert.Equal(0, _app.Services.GetRequiredService<SessionHost>().SessionCount);
    }

    [Fact]
    public async Task The_store_is_asked_everything_and_keeps_no_session()
    {
        var store = _app.Services.GetRequiredService<ISessionStore>();
        var session = await new StoreRehearsal(store, _app.Services.GetRequiredService<ISessionJournal>(), TimeProvider.System).RunAsync(default);

        Assert.Null(await store.FindAsync(session));
    }

    [Fact]
    public async Task A_failover_is_rehearsed_to_its_end() => await Find<RelayRehearsal>().RehearseAsync(default);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private T Find<T>() => _app.Services.GetServices<IHostedService>().OfType<T>().Single();
}
