using System.Runtime.CompilerServices;
using Mcp.HighAvailability.Sessions;

namespace McpHa.Tests;

/// <summary>
/// A replica without one of the conditions under which an answer need not be written: shortly before the answer of a call, what the condition looks
/// at is made to look as if the call had left no trace.
/// </summary>
internal static class UnwrittenAnswers
{
    // Calls with no other trace, so that what is found is due to this one.
    private static readonly Dictionary<string, Func<Plan, bool>> Concerned = new()
    {
        ["WrittenAnswers"] = plan => plan.Again,
        ["WrittenStart"] = plan => plan.Again && Only(plan, "w"),
        ["WrittenProgress"] = plan => plan.Again && Only(plan, "p"),
        ["WrittenQuestions"] = plan => plan.Again && Only(plan, "qQ"),
        ["WrittenState"] = plan => plan.Again && Only(plan, "s"),
        ["WrittenOnce"] = plan => !plan.Again && Only(plan, "w"),
    };

    /// <summary>Whether a missing safeguard is one of these conditions.</summary>
    public static bool Lack(string safeguard) => Concerned.ContainsKey(safeguard);

    /// <summary>Has the answer of a call left unwritten, if the missing safeguard concerns it.</summary>
    public static void Force(string safeguard, Plan plan, LiveSession session)
    {
        if (Concerned.TryGetValue(safeguard, out var concerned) && concerned(plan) && CallScope.Current is OpenCall call)
            session.Runner.Run(call, Forget);
    }

    private static bool Only(Plan plan, string parts) => plan.Parts.All(parts.Contains);

    private static bool Forget(SessionCore core, OpenCall call)
    {
        if (call.Ended)
            return false;
        call.ForgetState();
        foreach (var question in call.StoredAnswers?.Keys ?? Enumerable.Empty<string>())
            core.Commits.Open().SetCall(question, null);
        StoredAnswers(call) = null;
        Names(call.Questions).Clear();
        History(call) = null;
        MayRunTwice(call) = true;
        call.Stream.LastPosition = 0;
        var beginning = call.Beginning ??= new() { Opened = 0, Ticket = 0 };
        if (!beginning.HoldsPrime(call.Stream))
            beginning.Then(new(EffectKind.Prime, call.Stream));
        return true;
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<StoredAnswers>k__BackingField")]
    private static extern ref Dictionary<string, ReadOnlyMemory<byte>>? StoredAnswers(OpenCall call);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<History>k__BackingField")]
    private static extern ref CallHistory? History(OpenCall call);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<MayRunTwice>k__BackingField")]
    private static extern ref bool MayRunTwice(OpenCall call);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_names")]
    private static extern ref List<string> Names(CallQuestions questions);
}
