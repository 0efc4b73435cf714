namespace Mcp.HighAvailability.Balancer.Operations;

/// <summary>Access to draining and resuming replicas through the balancer. Bound from the configuration section <c>Balancer:Operations</c>.</summary>
public sealed class OperationsOptions
{
    /// <summary>Key that operators send as <c>Authorization: Bearer …</c>: 16 characters or more. Default: none; operations are off.</summary>
    public string? Key { get; set; }
}
