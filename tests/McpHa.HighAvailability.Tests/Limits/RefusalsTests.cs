using System.Net;
using System.Security.Claims;
using Mcp.HighAvailability.Limits;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests;

/// <summary>The log names the clients that are at a limit, once a minute.</summary>
public sealed class RefusalsTests
{
    private readonly Lines _lines = new();
    private readonly FakeTimeProvider _time = new();
    private readonly Refusals _refusals;

    public RefusalsTests() => _refusals = new(_time, _lines);

    [Fact]
    public async Task A_minute_of_refusals_is_one_line_with_user_address_or_session_and_the_setting()
    {
        for (var n = 0; n < 3; n++)
            await RefuseAsync("::ffff:203.0.113.7", null, "Limits:RequestsPerSecond");
        await RefuseAsync("203.0.113.8", "ada", "Limits:SessionsPerUser");
        await RefuseAsync("203.0.113.8", null, "Limits:CallsPerSession", "abcd-0123456789abcdef0123456789abcdef");
        await RefuseAsync("203.0.113.8", null, "Limits:CallsPerSession", "abcd-0123456789abcdef0123456789abcdef");

        var line = Assert.Single(await WrittenAsync(1));
        Assert.Contains("Requests refused with 429 within a minute: 6.", line, StringComparison.Ordinal);
        Assert.Contains(
            "address 203.0.113.7 3 at Limits:RequestsPerSecond; session abcd-0123456789a… of address 203.0.113.8 2 at Limits:CallsPerSession; " +
                $"user {Refusals.HashOf("LOCAL AUTHORITY\nada")} 1 at Limits:SessionsPerUser", line, StringComparison.Ordinal);
        Assert.DoesNotContain("ada", line, StringComparison.Ordinal);

        await RefuseAsync("203.0.113.9", null, "Limits:RequestsPerSecond");
        Assert.Contains("within a minute: 1. By client and setting: address 203.0.113.9 1 at", (await WrittenAsync(2))[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task So_many_clients_are_told_apart_and_named()
    {
        for (var n = 0; n < Refusals.MaxKept + 500; n++)
            await RefuseAsync($"2001:db8::{n:x}", null, "Limits:RequestsPerSecond");

        var line = Assert.Single(await WrittenAsync(1));
        Assert.Contains($"within a minute: {Refusals.MaxKept + 500}.", line, StringComparison.Ordinal);
        Assert.Contains("others 500 at Limits:RequestsPerSecond; ", line, StringComparison.Ordinal);
        Assert.Equal(Refusals.MaxLogged, line.Split("; ").Length);
    }

    private async Task RefuseAsync(string address, string? user, string setting, string? session = null)
    {
        var context = new DefaultHttpContext { Response = { Body = new MemoryStream() } };
        context.Connection.RemoteIpAddress = IPAddress.Parse(address);
        if (user is not null)
            context.User = new(new ClaimsIdentity([new Claim("sub", user)], "test"));
        await _refusals.TooManyAsync(context, "many", setting, sessionId: session);
        Assert.Equal(StatusCodes.Status429TooManyRequests, context.Response.StatusCode);
    }

    private async Task<IReadOnlyList<string>> WrittenAsync(int lines)
    {
        // The wait of the line may begin a moment later.
        await Wait.UntilAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromMinutes(1));
                return _lines.All.Count >= lines;
            },
            $"{lines} lines");
        return [.. _lines.All];
    }

    private sealed class Lines : ILogger<Refusals>
    {
        private readonly System.Collections.Concurrent.ConcurrentQueue<string> _all = new();

        public IReadOnlyCollection<string> All => _all;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _all.Enqueue(formatter(state, exception));
    }
}
