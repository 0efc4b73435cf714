using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>A client of an SDK with its session. Its observer writes the history of what it sends and receives.</summary>
internal abstract class FleetClient : IAsyncDisposable
{
    /// <summary>The client's <c>Mcp-Session-Id</c>.</summary>
    public abstract string Session { get; }

    /// <summary>Sends a request and waits for its end, whatever that is.</summary>
    /// <param name="call">Number of the call, for the history.</param>
    /// <param name="method">JSON-RPC method.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="cancellationToken">Gives the call up, which the server is told.</param>
    public abstract Task<CallOutcome> RequestAsync(long call, string method, JsonObject parameters, CancellationToken cancellationToken);

    /// <summary>Ends the session.</summary>
    public abstract ValueTask DisposeAsync();

    /// <summary>How a result looks to a caller.</summary>
    protected static CallOutcome Result(JsonNode? result)
    {
        var content = result?["content"]?.AsArray() ?? result?["contents"]?.AsArray();
        var text = content is null ? null : string.Concat(content.Select(block => (string?)block?["text"]));
        return new((bool?)result?["isError"] == true ? OutcomeKind.ToolError : OutcomeKind.Result, text, result?["structuredContent"]);
    }
}
