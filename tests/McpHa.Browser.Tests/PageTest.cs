using McpHa.Tests.Clients;
using Microsoft.Playwright;

namespace McpHa.Tests.Browser;

/// <summary>Base of the tests of the cluster page. They share a cluster, whose replicas come back when killed.</summary>
[Collection(PageTests.Name)]
public abstract class PageTest(BrowserFixture browser, PageFixture fixture)
{
    /// <summary>The cluster.</summary>
    protected LabCluster Cluster => fixture.Cluster;

    /// <summary>Opens the cluster page and keeps what the browser complains of.</summary>
    private protected async Task<(IPage Page, List<string> Complaints)> OpenAsync(BrowserNewContextOptions? options = null)
    {
        var page = await browser.NewPageAsync(options);
        List<string> complaints = [];
        page.PageError += (_, error) => complaints.Add(error);
        page.Console += (_, message) =>
        {
            // A drain that is refused, and a balancer that is away, are said by the browser, too.
            if (message.Type == "error" && !message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal))
                complaints.Add(message.Text);
        };
        await page.GotoAsync(fixture.Page.ToString());
        return (page, complaints);
    }

    /// <summary>A session with a client.</summary>
    private protected async Task<RawClient> ConnectAsync()
    {
        var client = new RawClient(Cluster.Endpoint);
        await client.InitializeAsync();
        return client;
    }

    /// <summary>The replica that serves a session.</summary>
    private protected static async Task<string> OwnerOf(RawClient client)
    {
        var answer = await client.CallAsync($"where-{Guid.NewGuid():N}", "where_am_i");
        return (string)answer["result"]!["structuredContent"]!["replica"]!;
    }

    /// <summary>The row of a replica.</summary>
    protected static ILocator RowOf(IPage page, string replica) => page.Locator($"tr[data-key='{replica}']");
}
