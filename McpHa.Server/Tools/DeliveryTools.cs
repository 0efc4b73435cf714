using System.ComponentModel;
using Mcp.HighAvailability;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Server.Tools;

/// <summary>A tool with an effect outside: it must never run twice.</summary>
[McpServerToolType]
public static class DeliveryTools
{
    [Rerun(false)]
    [McpServerTool(Name = "deliver", Title = "Deliver", Destructive = true, Idempotent = false)]
    [Description("Sends a delivery on its way and waits for it to arrive. It is never sent twice: if the replica is lost meanwhile, the call ends with an " +
        "error that says it may have run.")]
    public static async Task<string> Deliver(
        DeliveryLog log,
        IReplicaContext context,
        RequestContext<CallToolRequestParams> request,
        CancellationToken cancellationToken,
        [Description("How long the delivery takes, in seconds: 0 to 3600.")] double seconds = 1,
        [Description("A mark of your own, noted with the delivery: it shows afterwards whether this very parcel went out once.")] string? parcel = null)
    {
        Require.Between(seconds, 0, 3600, nameof(seconds));
        var call = $"{context.SessionId ?? "stateless"}/{request.JsonRpcRequest.Id}";
        await log.WriteAsync(call, parcel, context.ReplicaId);
        await Task.Delay(TimeSpan.FromSeconds(seconds), cancellationToken);
        return $"delivered by {context.ReplicaId}";
    }
}
