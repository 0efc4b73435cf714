using System.Net;
using System.Text;
using Mcp.HighAvailability.Balancer.Status;
using Mcp.HighAvailability.Balancer.Status.Page;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace McpHa.Tests;

/// <summary>The page is live for all viewers, at the cost of one.</summary>
public class LiveFramesTests
{
    [Fact]
    public async Task Nothing_is_rendered_while_nobody_looks_and_once_for_all_who_do()
    {
        var rendered = 0;
        using var stopping = new CancellationTokenSource();
        var frames = new LiveFrames(() => Encoding.UTF8.GetBytes($"data: {Interlocked.Increment(ref rendered)}\n\n"), TimeProvider.System, stopping.Token, NullLogger.Instance);
        Assert.Equal(0, rendered);

        var viewers = Enumerable.Range(0, 20).Select(_ => new Viewer(frames)).ToList();
        await Wait.UntilAsync(() => viewers.TrueForAll(viewer => viewer.Text.Length > 0), "all viewers to see something");
        Assert.True(viewers.Select(viewer => viewer.Text.Split('\n')[0]).Distinct().Count() < viewers.Count);

        foreach (var viewer in viewers)
            viewer.Leave();
        await Task.WhenAll(viewers.Select(viewer => viewer.Served));
        Assert.Equal(0, frames.Viewers);

        // Who comes later is served again.
        var before = rendered;
        var late = new Viewer(frames);
        await Wait.UntilAsync(() => late.Text.Length > 0, "a late viewer to see something");
        Assert.True(rendered > before);
        stopping.Cancel();
        await late.Served;
    }

    [Fact]
    public async Task Too_many_viewers_are_sent_away()
    {
        using var stopping = new CancellationTokenSource();
        var frames = new LiveFrames(() => "data: x\n\n"u8.ToArray(), TimeProvider.System, stopping.Token, NullLogger.Instance);
        var viewers = Enumerable.Range(0, LiveFrames.MaxViewers).Select(_ => new Viewer(frames)).ToList();
        await Wait.UntilAsync(() => frames.Viewers == LiveFrames.MaxViewers, "all viewers");

        var late = new Viewer(frames);
        await late.Served;

        Assert.Equal(StatusCodes.Status503ServiceUnavailable, late.Status);
        stopping.Cancel();
        await Task.WhenAll(viewers.Select(viewer => viewer.Served));
    }

    [Fact]
    public async Task A_browser_is_sent_the_live_part_in_one_event()
    {
        await using var bench = await BalancerBench.StartAsync();
        await bench.AddAsync("a", replica => replica.Info with { Version = "1\n2" });
        using var response = await bench.SendAsync(new HttpRequestMessage(HttpMethod.Get, "/status/events"));
        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (response.StatusCode, response.Content.Headers.ContentType!.MediaType));
        var sent = await new Sse(response).NextAsync();
        Assert.StartsWith("data: <div id=\"live\">", sent, StringComparison.Ordinal);
        Assert.EndsWith("</div>", sent, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.04, "0.0 ms")]
    [InlineData(9.94, "9.9 ms")]
    [InlineData(120, "120 ms")]
    [InlineData(3_456, "3.5 s")]
    [InlineData(120_000, "2 min 0 s")]
    [InlineData(90_000_000, "1 d 1 h")]
    public void Durations_are_as_exact_as_a_person_needs(double milliseconds, string text) => Assert.Equal(text, Html.Duration(milliseconds));

    private sealed class Viewer
    {
        private readonly DefaultHttpContext _context = new();
        private readonly MemoryStream _body = new();
        private readonly CancellationTokenSource _gone = new();

        public Viewer(LiveFrames frames)
        {
            _context.Response.Body = Stream.Synchronized(_body);
            _context.RequestAborted = _gone.Token;
            Served = frames.ServeAsync(_context);
        }

        public Task Served { get; }

        public int Status => _context.Response.StatusCode;

        public string Text => Encoding.UTF8.GetString(_body.GetBuffer(), 0, (int)_body.Length);

        public void Leave() => _gone.Cancel();
    }
}
