using System.Text.RegularExpressions;
using McpHa.Tests.Commands;
using McpHa.Tests.Pages;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>
/// A stock server becomes three replicas by doing what the page says: files are written, commands are run, and what is printed is compared, all in their order. Only port numbers are others,
/// and an example of the README is compiled with it.
/// </summary>
[Runs(PagePath, All = true)]
public sealed partial class AddToExistingTests
{
    private const string PagePath = "docs/add-to-existing.md";
    private const string BalancerPort = "5200";

    [Fact]
    public async Task A_stock_server_made_highly_available_word_by_word_survives_kill_with_its_session()
    {
        Assert.SkipWhen(Shell.Unavailable is not null, Shell.Unavailable ?? "");
        RedisServer.SkipIfMissing();
        var folder = Directory.CreateTempSubdirectory("existing-");
        Directory.CreateSymbolicLink(Path.Combine(folder.FullName, "McpHa"), Page.Root);
        var ports = Port().Matches(string.Concat(Page.Blocks(PagePath).Where(block => block.IsCommands).Select(block => block.Text)))
            .Select(match => match.Value).Distinct().ToDictionary(port => port, _ => $"{RedisServer.FreePort()}");

        try
        {
            await using var shell = new Shell(folder.FullName);
            await FollowAsync(shell, Path.Combine(folder.FullName, "BasketServer"), text => Port().Replace(text, match => ports[match.Value]));
            await CallAndKillAsync(new Uri($"http://127.0.0.1:{ports[BalancerPort]}/mcp"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task FollowAsync(Shell shell, string server, Func<string, string> place)
    {
        var printed = Array.Empty<string>();
        foreach (var block in Page.Blocks(PagePath))
        {
            if (block.File is not null)
                await File.WriteAllTextAsync(Path.Combine(server, block.File), place(block.Text));
            else if (block.IsCommands)
                printed = await shell.RunAsync(place(block.Text));
            else if (block.Language == "text")
                Assert.Equal(block.Text.Split('\n'), printed);

            if (block.File is "BasketTools.cs" && block.Text.Contains("ISessionState", StringComparison.Ordinal))
                await File.WriteAllTextAsync(Path.Combine(server, "CountTools.cs"), Page.Blocks("README.md").Single(b => b.Text.Contains("class CountTools", StringComparison.Ordinal)).Text);
        }
    }

    // The two replicas that are left, a real client, and one more death: under a call that may be run again, and under one that must not.
    private static async Task CallAndKillAsync(Uri endpoint)
    {
        await using var client = await McpClient.CreateAsync(
            new HttpClientTransport(new() { Endpoint = endpoint, TransportMode = HttpTransportMode.StreamableHttp }),
            new() { ProtocolVersion = "2025-11-25" });
        Assert.Equal("bread", await CallAsync("add", new() { ["item"] = "bread" }));
        var owner = int.Parse(await CallAsync("where_am_i", []), System.Globalization.CultureInfo.InvariantCulture);

        var step = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var packing = CallAsync("pack", new() { ["steps"] = 8 }, new Progress<ProgressNotificationValue>(_ => step.TrySetResult()));
        await step.Task.WaitAsync(Wait.Limit);
        var paying = CallAsync("pay", new() { ["amount"] = 7 });
        await CallAsync("where_am_i", []);
        Processes.Send(owner, Processes.SigKill);

        var refused = await Assert.ThrowsAsync<McpProtocolException>(() => paying);
        Assert.Equal(-32010, (int)refused.ErrorCode);
        Assert.Equal("packed", await packing);
        Assert.Equal("bread, milk", await CallAsync("add", new() { ["item"] = "milk" }));
        Assert.Equal("1", await CallAsync("count", []));
        Assert.NotEqual($"{owner}", await CallAsync("where_am_i", []));

        async Task<string> CallAsync(string tool, Dictionary<string, object?> arguments, IProgress<ProgressNotificationValue>? progress = null)
        {
            var result = await client.CallToolAsync(tool, arguments, progress);
            return string.Concat(result.Content.OfType<TextContentBlock>().Select(text => text.Text));
        }
    }

    [GeneratedRegex(@"\b(?:5200|530[1-9]|6379)\b")]
    private static partial Regex Port();
}
