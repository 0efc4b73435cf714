using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Limits;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace McpHa.Tests;

/// <summary>What is refused while few file descriptors are left.</summary>
public sealed class DescriptorTests
{
    private int _opened;

    [Theory]
    [InlineData(0, "POST", "s", 200)]
    [InlineData(0, "POST", null, 200)]
    [InlineData(0, "GET", "s", 200)]
    [InlineData(1, "POST", "s", 200)]
    [InlineData(1, "DELETE", "s", 200)]
    [InlineData(1, "POST", null, 503)]
    [InlineData(1, "GET", "s", 503)]
    [InlineData(2, "POST", "s", 503)]
    public async Task Streams_and_sessions_are_refused_before_calls_of_open_sessions(int mark, string method, string? session, int status)
    {
        var descriptors = New(limit: 1000, others: 0);
        Open(descriptors, mark switch { 0 => descriptors.StreamMark - 1, 1 => descriptors.StreamMark, _ => descriptors.CallMark });
        var context = new DefaultHttpContext { Request = { Method = method, Protocol = HttpProtocol.Http11 }, Response = { Body = new MemoryStream() } };
        if (session is not null)
            context.Request.Headers["Mcp-Session-Id"] = session;
        await new DescriptorGate(descriptors).Wrap(static _ => Task.CompletedTask)(context);

        Assert.Equal(status, context.Response.StatusCode);
        Assert.Equal(mark > 0, context.Response.Headers.Connection == "close");
        Assert.Equal(status == 503, context.Response.Headers.RetryAfter.Count > 0);
        context.Response.Body.Position = 0;
        Assert.Equal(status == 503, new StreamReader(context.Response.Body).ReadToEnd().Contains("file descriptors (1000)", StringComparison.Ordinal));
    }

    [Fact]
    public void No_connection_is_opened_into_the_reserve_until_another_closes()
    {
        var descriptors = New(limit: 1000, others: 100);
        Open(descriptors, descriptors.ConnectionMark - 100);
        Assert.Equal(descriptors.ConnectionMark, descriptors.Used);
        Assert.False(descriptors.TryOpen());
        descriptors.Closed();
        Assert.True(descriptors.TryOpen());
        Assert.InRange(descriptors.ConnectionMark, 900, 1000 - 16);
    }

    [Fact]
    public void A_process_that_cannot_count_for_want_of_a_descriptor_opens_nothing() => Assert.False(New(limit: 1000, others: null).TryOpen());

    [Fact]
    public void The_limit_is_that_of_the_operating_system()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "other systems do not say");
        var descriptors = new Descriptors(NullLogger<Descriptors>.Instance);
        Assert.True(descriptors.Limit > 0);
        Assert.InRange(descriptors.Used, 3, descriptors.Limit);
    }

    private Descriptors New(int limit, int? others) => new(NullLogger<Descriptors>.Instance, limit: limit, count: () => others + _opened);

    private void Open(Descriptors descriptors, int connections)
    {
        for (var i = 0; i < connections; i++)
        {
            Assert.True(descriptors.TryOpen());
            _opened++;
        }
    }
}
