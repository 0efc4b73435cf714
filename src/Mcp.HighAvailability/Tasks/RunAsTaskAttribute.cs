namespace Mcp.HighAvailability;

/// <summary>
/// Says when a call of a tool becomes a task (extension <c>io.modelcontextprotocol/tasks</c>), for clients that support tasks. On a class it holds for all
/// tools of the class that do not say otherwise. The settings <c>HighAvailability:Tasks:Tools</c> win over it.
/// </summary>
/// <param name="mode">When. Default: always.</param>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Class)]
public sealed class RunAsTaskAttribute(TaskMode mode = TaskMode.Always) : Attribute
{
    /// <summary>When a call becomes a task.</summary>
    public TaskMode Mode { get; } = mode;
}

/// <summary>When a call of a tool becomes a task.</summary>
public enum TaskMode
{
    /// <summary>Never: the client waits for the answer.</summary>
    Never,

    /// <summary>Always, before the tool starts. Clients without the extension wait for the answer.</summary>
    Always,

    /// <summary>
    /// When the tool has run for <see cref="Tasks.TaskOptions.Delay"/>, or needs an answer of the client before that. A quick call is an ordinary one.
    /// </summary>
    AfterDelay,

    /// <summary>Always. Clients without the extension, and clients with a session, get the error -32021.</summary>
    Required,
}
