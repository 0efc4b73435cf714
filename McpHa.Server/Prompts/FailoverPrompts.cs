using System.ComponentModel;
using ModelContextProtocol.Server;

namespace McpHa.Server.Prompts;

/// <summary>Prompts that lead through a failover.</summary>
[McpServerPromptType]
public static class FailoverPrompts
{
    [McpServerPrompt(Name = "failover_demo", Title = "Failover demo")]
    [Description("Leads through a failover: note something, find the replica, kill it, go on.")]
    public static string FailoverDemo([Description("What to note before the replica is killed.")] string note = "survive this") =>
        $"""
        1. Call notes_add with the text "{note}".
        2. Call where_am_i and tell me the replica and its process id, so that I can kill it.
        3. Wait until I say that it is dead, then call where_am_i again: another replica, the same session, a larger epoch.
        4. Call notes_list and tell me whether "{note}" is still there, exactly once.
        """;
}
