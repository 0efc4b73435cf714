using System.ComponentModel;
using Mcp.HighAvailability;
using ModelContextProtocol.Server;

namespace McpHa.Server.Tools;

/// <summary>
/// Tools that keep something. They write through <see cref="ISessionState"/>, which is committed together with the response:
/// however often a failover runs a call again, a note is added once.
/// </summary>
[McpServerToolType]
[Rerun(true)]
public static class StateTools
{
    private const string Notes = "notes";
    private const string Count = "count";

    [McpServerTool(Name = "notes_add", Title = "Add a note", Destructive = false, OpenWorld = false, UseStructuredContent = true)]
    [Description("Adds a note to the session's notebook, or to a shared one. Returns all notes.")]
    public static async Task<Notebook> AddNote(
        ISessionState state,
        CancellationToken cancellationToken,
        [Description("The note.")] string text,
        [Description("Handle of a notebook. Left out: the session's own; without a session a new one, whose handle is returned.")] string? notebook = null)
    {
        Require.Text(text, nameof(text));
        var (bag, handle) = await OpenAsync(state, notebook, mint: true, cancellationToken);
        var notes = await bag!.UpdateAsync<string[]>(Notes, notes => [.. notes ?? [], text], cancellationToken);
        return new(notes) { Handle = handle };
    }

    [McpServerTool(Name = "notes_list", Title = "List notes", ReadOnly = true, OpenWorld = false, UseStructuredContent = true)]
    [Description("Lists the notes of the session's notebook, or of a shared one.")]
    public static async Task<Notebook> ListNotes(
        ISessionState state,
        CancellationToken cancellationToken,
        [Description("Handle of a notebook. Left out: the session's own.")] string? notebook = null)
    {
        var (bag, handle) = await OpenAsync(state, notebook, mint: false, cancellationToken);
        var notes = bag is null ? null : await bag.GetAsync<string[]>(Notes, cancellationToken);
        return new(notes ?? []) { Handle = handle };
    }

    [McpServerTool(Name = "counter_increment", Title = "Count", Destructive = false, OpenWorld = false, UseStructuredContent = true)]
    [Description("Adds one to the session's counter, or to a shared one. Returns the new value.")]
    public static async Task<Counter> Increment(
        ISessionState state,
        CancellationToken cancellationToken,
        [Description("Handle of a counter. Left out: the session's own; without a session a new one, whose handle is returned.")] string? counter = null)
    {
        var (bag, handle) = await OpenAsync(state, counter, mint: true, cancellationToken);
        var value = await bag!.UpdateAsync<long>(Count, count => count + 1, cancellationToken);
        return new(value) { Handle = handle };
    }

    private static async ValueTask<(IStateBag? Bag, string? Handle)> OpenAsync(
        ISessionState state, string? handle, bool mint, CancellationToken cancellationToken)
    {
        if (handle is null && state.HasSession)
            return (state, null);
        if (handle is null && !mint)
            return (null, null);

        var opened = await state.OpenAsync(handle, cancellationToken);
        return (opened, opened.Handle);
    }
}

/// <summary>A notebook as the tools return it.</summary>
public sealed record Notebook([property: Description("All notes, oldest first.")] IReadOnlyList<string> Notes)
{
    [Description("Handle to pass with the next call; left out for the session's own notebook.")]
    public string? Handle { get; init; }
}

/// <summary>A counter as the tools return it.</summary>
public sealed record Counter([property: Description("The value after this call.")] long Value)
{
    [Description("Handle to pass with the next call; left out for the session's own counter.")]
    public string? Handle { get; init; }
}
