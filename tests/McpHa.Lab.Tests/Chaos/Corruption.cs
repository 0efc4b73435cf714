using Mcp.HighAvailability.Lab.Chaos.History;

namespace McpHa.Tests.Chaos;

/// <summary>Breaks the promise in one place of a history that keeps it.</summary>
internal static class Corruption
{
    private static readonly Func<Story, Random, bool>[] All =
    [
        (story, dice) => Remove<CallEnded>(story, dice, _ => true),
        (story, dice) => Replace<CallEnded>(story, dice, e => e.Outcome is { Kind: OutcomeKind.Result, Text: { Length: > 0 } }, e => e with { Outcome = e.Outcome with { Text = "wrong" } }),
        (story, dice) => Replace<CallEnded>(story, dice, e => e.Outcome.Kind == OutcomeKind.Result, e => e with { Outcome = new(OutcomeKind.RpcError, "wrong", Code: -32603) }),
        (story, dice) => Replace<CallEnded>(story, dice, e => e.Outcome.Kind == OutcomeKind.Result, e => e with { Outcome = new(OutcomeKind.TimedOut) }),
        (story, dice) => Double<ProgressReceived>(story, dice),
        (story, dice) => Double<QuestionReceived>(story, dice),
        (story, dice) => Double<AnswerReceived>(story, dice),
        (story, dice) => Double<StreamReceived>(story, dice),
        (story, dice) => Remove<ProgressReceived>(story, dice, step => step.Progress < 4 && story.Events.OfType<ProgressReceived>().Any(later => later.Call == step.Call && later.Progress > step.Progress)),
        (story, dice) => Remove<StreamReceived>(story, dice, _ => !story.Events.OfType<FaultBegan>().Any()),
        (story, dice) => Remove<QuestionReceived>(story, dice, question => Acknowledged(story, call => call.Expected.Question == question.Question)),
        (story, dice) => Replace<FinalReading>(story, dice, e => e.Notes.Any(note => Acknowledged(story, call => call.Expected.Note == note)),
            e => e with { Notes = [.. e.Notes.Where(note => !Acknowledged(story, call => call.Expected.Note == note))] }),
        (story, dice) => Replace<FinalReading>(story, dice, e => e.Notes.Count > 0, e => e with { Notes = [.. e.Notes, e.Notes[0]] }),
        (story, dice) => Replace<FinalReading>(story, dice, _ => true, e => e with { Notes = [.. e.Notes, "somebody's"] }),
        (story, dice) => Replace<FinalReading>(story, dice, _ => true, e => e with { Counter = e.Counter + 100 }),
        (story, dice) => Replace<FinalReading>(story, dice, e => e.Counter > 0, e => e with { Counter = -1 }),
        (story, dice) => Remove<FinalReading>(story, dice, _ => true),
        (story, dice) =>
        {
            if (story.Deliveries.Count > 0)
                story.Deliveries.Add(story.Deliveries[dice.Next(story.Deliveries.Count)]);
            return story.Deliveries.Count > 0;
        },
        (story, dice) => story.Events.OfType<SessionOpened>().FirstOrDefault() is { } opened && Insert(story, story.Events.Count, new SessionLost(story.Now, opened.Session, "made up")),
    ];

    /// <summary>Corrupts the story in one of the ways that it offers.</summary>
    /// <returns>The number of the way.</returns>
    public static int Apply(Story story, int seed)
    {
        var dice = new Random(seed);
        var way = dice.Next(All.Length);
        // Not every story offers every way; the last one always is.
        while (!All[way](story, dice))
            way = (way + 1) % All.Length;
        return way;
    }

    private static bool Acknowledged(Story story, Func<CallBegun, bool> which) =>
        story.Events.OfType<CallBegun>().FirstOrDefault(which) is { } begun
        && story.Events.OfType<CallEnded>().Any(ended => ended.Call == begun.Call && ended.Outcome.IsAcknowledged);

    private static bool Remove<T>(Story story, Random dice, Func<T, bool> which) where T : HistoryEvent =>
        Pick(story, dice, which) is { } picked && story.Events.Remove(picked);

    private static bool Double<T>(Story story, Random dice) where T : HistoryEvent =>
        Pick<T>(story, dice, _ => true) is { } picked && Insert(story, story.Events.IndexOf(picked) + 1, picked);

    private static bool Replace<T>(Story story, Random dice, Func<T, bool> which, Func<T, T> change) where T : HistoryEvent
    {
        if (Pick(story, dice, which) is not { } picked)
            return false;
        story.Events[story.Events.IndexOf(picked)] = change(picked);
        return true;
    }

    private static bool Insert(Story story, int index, HistoryEvent happened)
    {
        story.Events.Insert(index, happened);
        return true;
    }

    private static T? Pick<T>(Story story, Random dice, Func<T, bool> which) where T : HistoryEvent
    {
        var eligible = story.Events.OfType<T>().Where(which).ToList();
        return eligible.Count == 0 ? null : eligible[dice.Next(eligible.Count)];
    }
}
