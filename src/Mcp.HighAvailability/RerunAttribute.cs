namespace Mcp.HighAvailability;

/// <summary>
/// Says whether a tool call that was in flight when its replica was lost may be run again on another one. Wins over the tool's
/// <c>readOnlyHint</c> and <c>idempotentHint</c>; on a class it holds for all tools of the class that do not say otherwise.
/// </summary>
/// <param name="allowed">
/// <see langword="true"/>: run it again, the client gets the result. <see langword="false"/>: never run it twice, the client gets
/// an error that says it may have run.
/// </param>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Class)]
public sealed class RerunAttribute(bool allowed = true) : Attribute
{
    /// <summary>Whether the tool may be run again.</summary>
    public bool Allowed { get; } = allowed;
}
