namespace Mcp.HighAvailability.Balancer.Operations;

/// <summary>Who may drain and resume replicas through the balancer. Bound from the configuration section <c>Balancer:Operations</c>.</summary>
public sealed class OperationsOptions
{
    /// <summary>What an operator sends as <c>Authorization: Bearer …</c>: 16 characters or more. Default: none, and no operations.</summary>
    public string? Key { get; set; }
}
