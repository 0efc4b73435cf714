namespace McpHa.Tests;

/// <summary>Says at the end of a run what the client was promised and has not got.</summary>
internal sealed class Judge(World world)
{
    /// <summary>Every call was answered once, with what it has done, and nothing else has happened.</summary>
    public void Calls(IReadOnlyDictionary<string, Plan> plans, IReadOnlyList<Exchange> exchanges, IReadOnlySet<Exchange> cancelled, int state)
    {
        var (least, most) = (0, 0);
        foreach (var (call, plan) in plans)
        {
            var exchange = exchanges.First(e => e.Name == call);
            var progress = exchange.Messages.Where(m => (string?)m["method"] == "notifications/progress").Select(m => (int)m["params"]!["progress"]!).ToList();
            var adds = plan.Parts.Count(p => p == 's');
            most += adds;
            if (!plan.Again && world.Runs(call) > 1)
                world.Violated($"{call} must not run twice and has run {world.Runs(call)} times.");
            if (cancelled.Contains(exchange))
            {
                least += exchange.Answer?["result"] is null ? 0 : adds;
                continue;
            }

            if (exchange.Answer?["result"] is { } result)
            {
                least += adds;
                if ((string?)result["content"]?[0]?["text"] != plan.Result(call))
                    world.Violated($"{call} was answered {result.ToJsonString()}, not '{plan.Result(call)}'.");
                if (!progress.SequenceEqual(plan.Progress))
                    world.Violated($"{call} has shown steps {string.Join(",", progress)}, not {string.Join(",", plan.Progress)}.");
            }
            else if (plan.Again || (int?)exchange.Answer?["error"]?["code"] != -32010)
            {
                world.Violated($"{call} was answered {exchange.Answer?.ToJsonString() ?? "not at all"}.");
            }
            else
            {
                most -= adds;
                if (!progress.SequenceEqual(plan.Progress.Take(progress.Count)))
                    world.Violated($"{call} has shown steps {string.Join(",", progress)}.");
            }
        }

        if (state < least || state > most)
            world.Violated($"The state counts {state}; answered calls say {least}{(most > least ? $" to {most}" : "")}.");
    }
}
