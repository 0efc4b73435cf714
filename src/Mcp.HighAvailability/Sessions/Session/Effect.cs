using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Effect of a commit that becomes visible to a client.</summary>
internal readonly record struct Effect(EffectKind Kind, EventStream Stream, JournalEntry? Entry = null, TimeSpan Retry = default)
{
    /// <summary>Shows it. Call without the session's turn: readers may run on.</summary>
    public void Run()
    {
        switch (Kind)
        {
            case EffectKind.Publish:
                Stream.Publish(Entry!);
                break;
            case EffectKind.Prime:
                Stream.Prime();
                break;
            case EffectKind.Poll:
                Stream.Poll(Retry);
                break;
            case EffectKind.Complete:
                Stream.Complete();
                break;
            case EffectKind.Overdue:
                Stream.Overdue();
                break;
        }
    }
}

internal enum EffectKind
{
    Publish,
    Prime,
    Poll,
    Complete,

    /// <summary>The answer has waited for the store too long. Released before its commit.</summary>
    Overdue,
}
