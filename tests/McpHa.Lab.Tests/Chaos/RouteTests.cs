using System.Net;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Chaos.Workload;

namespace McpHa.Tests.Chaos;

/// <summary>What stands in for a client's load balancer: it repeats what got no answer elsewhere, and nothing else.</summary>
[Trait("Category", "Quick")]
public sealed class RouteTests
{
    private static readonly Uri One = new("http://one/mcp");
    private static readonly Uri Two = new("http://two/mcp");

    private readonly HistoryLog _history = new();
    private readonly List<(Uri Endpoint, string Body)> _sent = [];

    [Fact]
    public async Task A_request_that_gets_no_answer_goes_to_the_other_endpoint_with_the_same_body()
    {
        using var client = Client([One, Two], request => request.RequestUri == One ? throw new HttpRequestException("refused") : new(HttpStatusCode.OK));

        for (var n = 0; n < 20; n++)
            Assert.Equal(HttpStatusCode.OK, (await PostAsync(client, $"body {n}")).StatusCode);

        Assert.Contains(_sent, sent => sent.Endpoint == One);
        foreach (var body in _sent.GroupBy(sent => sent.Body))
            Assert.Equal(Two, body.Last().Endpoint);
        Assert.All(_history.Snapshot(), happened => Assert.True(Assert.IsType<HttpTrouble>(happened) is { Session: "s", Status: null, Repeated: true }));
    }

    [Fact]
    public async Task With_one_endpoint_nothing_is_repeated()
    {
        using var client = Client([One], _ => throw new HttpRequestException("refused"));

        await Assert.ThrowsAsync<HttpRequestException>(() => PostAsync(client, "body"));

        Assert.Single(_sent);
        Assert.False(Assert.IsType<HttpTrouble>(Assert.Single(_history.Snapshot())).Repeated);
    }

    [Theory]
    [InlineData(HttpStatusCode.ServiceUnavailable, typeof(HttpTrouble))]
    [InlineData(HttpStatusCode.NotFound, typeof(SessionLost))]
    public async Task An_answer_is_an_answer_also_when_it_is_an_error(HttpStatusCode status, Type noted)
    {
        using var client = Client([One, Two], _ => new(status));

        Assert.Equal(status, (await PostAsync(client, "body")).StatusCode);

        Assert.Single(_sent);
        Assert.IsType(noted, Assert.Single(_history.Snapshot()));
    }

    [Fact]
    public async Task The_seed_decides_where_requests_go()
    {
        List<Uri>[] runs = [[], []];
        foreach (var run in runs)
        {
            _sent.Clear();
            using var client = Client([One, Two], _ => new(HttpStatusCode.OK));
            for (var n = 0; n < 20; n++)
                await PostAsync(client, "body");
            run.AddRange(_sent.Select(sent => sent.Endpoint));
        }

        Assert.Equal(runs[0], runs[1]);
        Assert.Equal(2, runs[0].Distinct().Count());
    }

    private static Task<HttpResponseMessage> PostAsync(HttpClient client, string body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, One) { Content = new StringContent(body) };
        request.Headers.Add("Mcp-Session-Id", "s");
        return client.SendAsync(request);
    }

    private HttpClient Client(Uri[] endpoints, Func<HttpRequestMessage, HttpResponseMessage> answer) =>
        new(new Route(endpoints, seed: 5, _history, new Network(_sent, answer)));

    private sealed class Network(List<(Uri Endpoint, string Body)> sent, Func<HttpRequestMessage, HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            sent.Add((request.RequestUri!, await request.Content!.ReadAsStringAsync(cancellationToken)));
            return answer(request);
        }
    }
}
