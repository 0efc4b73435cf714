using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Processes;
using Mcp.HighAvailability.Lab.Sdk;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Lab.Kill;

/// <summary>One call of the unmodified C# client, whose replica is killed in the middle.</summary>
/// <param name="endpoint">MCP endpoint of a cluster on this machine that serves the sample tools.</param>
/// <param name="token">Bearer token; <see langword="null"/>: none.</param>
/// <param name="output">Where the lines go.</param>
internal sealed class KillRun(Uri endpoint, string? token, TextWriter output)
{
    public const string Countdown = "countdown";
    public const string Deliver = "deliver";

    private const int Steps = 6;
    private const int IntervalMs = 500;
    private const int KillAfterStep = 2;

    // A session belongs to a replica, so the client asks for a revision with sessions.
    private const string Revision = "2025-11-25";

    private static readonly TimeSpan StepTimeout = TimeSpan.FromSeconds(30);

    private long _started;

    /// <summary>Runs the call. Returns whether the client saw what is promised.</summary>
    public async Task<bool> RunAsync(string tool, CancellationToken cancellationToken)
    {
        if (!endpoint.IsLoopback)
            throw new LabException($"{endpoint} is not on this machine. 'kill' ends a process, so it needs a cluster on this machine.");
        var seen = new StepLog(step => Say($"step {step} of {Steps}"));
        await using var client = await ConnectAsync(seen, cancellationToken);
        var owner = await OwnerAsync(client, cancellationToken);
        output.WriteLine($"Session {client.SessionId} is open at {endpoint}.");
        output.WriteLine($"Its owner is {owner}.");

        _started = Stopwatch.GetTimestamp();
        var kept = await (tool == Deliver ? DeliverAsync(client, owner, cancellationToken) : CountAsync(client, seen, owner, cancellationToken));

        var next = await OwnerAsync(client, cancellationToken);
        output.WriteLine($"The session goes on. Its owner is now {next}.");
        return kept && next.ProcessId != owner.ProcessId;
    }

    private async Task<bool> CountAsync(McpClient client, StepLog seen, Owner owner, CancellationToken cancellationToken)
    {
        output.WriteLine($"Calling {Countdown}, which may be rerun: {Steps} steps, one every {IntervalMs} ms.");
        var call = client.CallToolAsync(
            Countdown, new Dictionary<string, object?> { ["seconds"] = Steps * IntervalMs / 1000d, ["intervalMs"] = IntervalMs },
            options: new() { Meta = new() { ["progressToken"] = Countdown } }, cancellationToken: cancellationToken).AsTask();

        await Task.WhenAny(call, seen.WhenAsync(KillAfterStep, StepTimeout, cancellationToken));
        Kill(owner);
        var result = await call;
        Say($"result: {Text(result)}");

        var kept = seen.Steps.SequenceEqual(Enumerable.Range(1, Steps)) && result.IsError is not true;
        output.WriteLine(kept
            ? $"The call survived: {Steps} steps, each of them once, and one result."
            : $"The call did not survive as promised. Steps seen: {string.Join(", ", seen.Steps)}.");
        return kept;
    }

    private async Task<bool> DeliverAsync(McpClient client, Owner owner, CancellationToken cancellationToken)
    {
        output.WriteLine($"Calling {Deliver}, which must not run twice.");
        var call = client.CallToolAsync(Deliver, new Dictionary<string, object?> { ["seconds"] = 30 }, cancellationToken: cancellationToken).AsTask();
        await Task.WhenAny(call, Task.Delay(TimeSpan.FromSeconds(1), cancellationToken));
        Kill(owner);
        try
        {
            Say($"result: {Text(await call)}");
            output.WriteLine("The call ended before its replica was lost.");
            return false;
        }
        catch (McpProtocolException e)
        {
            Say($"error {(int)e.ErrorCode}: {e.Message}");
            output.WriteLine("The call did not run again, and its client knows that it may have run.");
            return true;
        }
    }

    private void Kill(Owner owner)
    {
        Say($"kill -9 {owner.ProcessId}");
        try
        {
            using var process = Process.GetProcessById(owner.ProcessId);
            process.Kill();
        }
        catch (ArgumentException)
        {
            throw new LabException($"There is no process {owner.ProcessId} on this machine. 'kill' needs replicas on this machine, outside of containers.");
        }
    }

    private async Task<McpClient> ConnectAsync(StepLog seen, CancellationToken cancellationToken)
    {
        var transport = new HttpClientTransport(new()
        {
            Endpoint = endpoint,
            TransportMode = HttpTransportMode.StreamableHttp,
            AdditionalHeaders = token is null ? null : new Dictionary<string, string> { ["Authorization"] = $"Bearer {token}" },
        });
        try
        {
            return await McpClient.CreateAsync(
                new MessageTap(transport, seen.Receive), new() { ClientInfo = new() { Name = "mcp-ha", Version = "1" }, ProtocolVersion = Revision },
                cancellationToken: cancellationToken);
        }
        catch (HttpRequestException e) when (e.StatusCode == HttpStatusCode.Unauthorized)
        {
            throw new LabException(
                $"{endpoint} asks for a bearer token, and {(token is null ? "none was given" : "refused this one")}. Pass one with --token.");
        }
        catch (HttpRequestException e)
        {
            throw new LabException(
                $"{endpoint} cannot be used: {e.Message} Start a cluster first ('up', './run --lab' or the AppHost), or name one with --url.");
        }
    }

    private async Task<Owner> OwnerAsync(McpClient client, CancellationToken cancellationToken)
    {
        var result = await client.CallToolAsync("where_am_i", cancellationToken: cancellationToken);
        return JsonNode.Parse(Text(result)) is JsonObject place && (string?)place["replica"] is { } replica && (int?)place["processId"] is { } process
            ? new(replica, process)
            : throw new LabException($"{endpoint} does not serve the sample tools: 'where_am_i' answered '{Text(result)}'.");
    }

    private void Say(string line) =>
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Stopwatch.GetElapsedTime(_started).TotalSeconds,6:0.0} s  {line}"));

    private static string Text(CallToolResult result) => string.Concat(result.Content.OfType<TextContentBlock>().Select(block => block.Text));

    private sealed record Owner(string Replica, int ProcessId)
    {
        public override string ToString() => $"{Replica}, process {ProcessId}";
    }
}
