using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace McpHa.Tests.Chaos;

/// <summary>A run of a server that keeps its promise, made up at random: calls of several sessions side by side, cancellations, faults.</summary>
internal sealed class RandomRun
{
    private static readonly string[] Sessions = ["s0", "s1", "s2"];

    private readonly Random _random;
    private readonly Dictionary<string, List<string>> _notes = [];
    private readonly Dictionary<string, long> _counters = [];
    private readonly List<(string Kind, string Session, long Call, string Mark, int Step)> _open = [];
    private int _marks;

    private RandomRun(int seed) => _random = new Random(seed);

    private Story Story { get; } = new() { Options = new(TimeSpan.FromSeconds(60), Direct: false, ["echo"]) };

    public static Story Tell(int seed, int length, bool withFaults)
    {
        var run = new RandomRun(seed);
        run.Tell(length, withFaults);
        return run.Story;
    }

    private void Tell(int length, bool withFaults)
    {
        foreach (var session in Sessions)
        {
            Story.Open(session);
            Story.Echo(session);
            (_notes[session], _counters[session]) = ([], 0);
        }

        for (var happened = 0; happened < length; happened++)
        {
            if (withFaults && _random.Next(20) == 0)
                Story.Fault(FaultKind.Kill, () => Refuse(_random.Next(3)));
            else if (_open.Count > 0 && _random.Next(2) == 0)
                GoOn(_random.Next(_open.Count));
            else
                Begin(Sessions[_random.Next(Sessions.Length)]);
        }

        while (_open.Count > 0)
            GoOn(0);
        foreach (var session in Sessions)
            Story.FinalReading(session, _counters[session], [.. _notes[session]]);
    }

    private void Begin(string session)
    {
        var mark = $"m{++_marks}";
        var kind = ((string[])["echo", "note", "count", "steps", "deliver", "ask", "announce"])[_random.Next(7)];
        var call = kind switch
        {
            "note" => Story.BeginNote(session, mark),
            "count" => Story.BeginCount(session),
            "steps" => Story.BeginCountdown(session, 4),
            "deliver" => Story.BeginDelivery(session, mark),
            "ask" => Story.BeginQuestion(session, mark),
            "announce" => Story.BeginAnnouncement(session, mark),
            _ => Story.Begin(session, "echo", new(true, TimeSpan.Zero) { Text = mark }),
        };
        if (kind == "deliver")
            Story.Delivered(mark);
        if (kind == "ask")
            Story.Asked(session, $"\"q-{mark}\"", mark);
        _open.Add((kind, session, call, mark, 0));
    }

    private void GoOn(int index)
    {
        var (kind, session, call, mark, step) = _open[index];
        if (kind == "steps" && step < 4)
        {
            Story.Step(call, step + 1);
            _open[index] = (kind, session, call, mark, step + 1);
            return;
        }

        _open.RemoveAt(index);
        var cancelled = kind is not "announce" && _random.Next(10) == 0;
        if (cancelled)
            Story.Cancel(call);
        // What a cancelled call was to do may be done, or not.
        var done = !cancelled || _random.Next(2) == 0;
        if (kind == "note" && done)
            _notes[session].Add(mark);
        if (kind == "count" && done)
            _counters[session]++;
        if (cancelled)
        {
            Story.Outcome(call, new(OutcomeKind.Cancelled));
            return;
        }

        switch (kind)
        {
            case "note":
                Story.EndNotes(call, [.. _notes[session]]);
                break;
            case "count":
                Story.EndCount(call, _counters[session]);
                break;
            case "announce":
                foreach (var listener in Sessions)
                    Story.Heard(listener, mark);
                Story.End(call);
                break;
            default:
                Story.End(call);
                break;
        }
    }

    // A fault: deliveries under way may have run, everything else goes on afterwards.
    private void Refuse(int most)
    {
        foreach (var delivery in _open.Where(open => open.Kind == "deliver").Take(most).ToList())
        {
            Story.Response(delivery.Call);
            Story.Outcome(delivery.Call, new(OutcomeKind.RpcError, "may have run", Code: CallOutcome.MayHaveRun));
            _open.Remove(delivery);
        }
    }
}
