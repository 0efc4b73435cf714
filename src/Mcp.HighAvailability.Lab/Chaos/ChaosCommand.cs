using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Mcp.HighAvailability.Lab.Chaos.Faults;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Chaos.Mutations;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Chaos;

/// <summary><c>chaos</c>: breaks a cluster under load, in every way that it promises to survive, and checks what its clients saw.</summary>
internal static class ChaosCommand
{
    public const string Name = "chaos";

    /// <summary>Exit code: every promise held.</summary>
    public const int Held = 0;

    /// <summary>Exit code: one did not.</summary>
    public const int Broken = 1;

    /// <summary>Exit code: there was no run, or not a whole one.</summary>
    public const int NotRun = 2;

    public static Command Create()
    {
        var replicas = Number("--replicas", "Number of server replicas.", 3, 2, 50);
        var balancers = Number("--balancers", "Number of balancers; clients may use any of them.", 2, 1, 10);
        var sessions = Number("--sessions", "Number of sessions of the C# client.", 100, 0, 10_000);
        var typescript = Number("--typescript", "Number of further sessions, of the unmodified TypeScript client (needs Node.js).", 0, 0, 1_000);
        var rate = Number("--rate", "Calls per second of all clients together, on average. Few enough, and pauses show the cluster and not the machine.", 120,
            1, 100_000);
        var minutes = new Option<double?>("--minutes") { Description = "How long to inject faults. Default: 5.", HelpName = "N" };
        var faults = new Option<int?>("--faults") { Description = "How many faults to inject, instead of --minutes.", HelpName = "N" };
        var seed = new Option<int?>("--seed") { Description = "Decides all choices; printed by every run. Default: another one each time.", HelpName = "N" };
        var kinds = new Option<string?>("--faults-of") { Description = $"Kinds of fault: some of {string.Join(',', FaultForms.Names.Keys)}. Default: all " +
            "that can be had here.", HelpName = "LIST" };
        var spacing = new Option<double>("--spacing") { Description = "Seconds from one fault to the next, on average, where nothing has to be waited for.",
            HelpName = "SECONDS", DefaultValueFactory = _ => 1 };
        var direct = new Option<bool>("--direct") { Description = "No balancer: nginx, round robin, straight in front of the replicas." };
        var server = new Option<Uri?>("--server") { Description = "MCP endpoint of a server that runs already. Clients only: you break the server.",
            HelpName = "URL", CustomParser = ReadUrl };
        var project = new Option<string?>("--project") { Description = "Your own server project instead of the sample.", HelpName = "PATH" };
        var workload = new Option<FileInfo?>("--workload") { Description = "JSON file that lists the tools to call, where it is not the sample that serves.",
            HelpName = "FILE" };
        var mutate = new Option<string?>("--mutate") { Description = $"Switch a safeguard off, to see that the checker finds out: " +
            $"{string.Join(", ", Mutation.Names)}.", HelpName = "NAME" };
        var json = new Option<FileInfo?>("--json") { Description = "Write the report to this file, for machines.", HelpName = "FILE" };
        var html = new Option<FileInfo?>("--html") { Description = "Write the report to this file, for people.", HelpName = "FILE" };
        var endWithParent = new Option<bool>("--end-with-parent") { Description = "End when the process that started Lab ends.", Hidden = true };

        Positive(minutes);
        Positive(faults);
        Positive(spacing);
        kinds.Validators.Add(static result =>
        {
            var given = Split(result.Tokens.SingleOrDefault()?.Value);
            if (given.FirstOrDefault(kind => !FaultForms.Names.ContainsKey(kind)) is { } unknown)
                result.AddError($"--faults-of knows {string.Join(", ", FaultForms.Names.Keys)}, not '{unknown}'.");
            else if (given.Length == 0)
                result.AddError($"--faults-of names no kind of fault: give some of {string.Join(", ", FaultForms.Names.Keys)}, with commas between.");
        });
        mutate.Validators.Add(static result =>
        {
            if (result.Tokens.SingleOrDefault()?.Value is { } name && Mutation.Find(name) is null)
                result.AddError($"--mutate knows {string.Join(", ", Mutation.Names)}, not '{name}'.");
        });
        workload.Validators.Add(result => MustExist(result, workload));

        var command = new Command(Name, "Breaks a cluster under load, in every way that it promises to survive, and checks what its clients saw.")
        {
            replicas, balancers, sessions, typescript, rate, minutes, faults, seed, kinds, spacing, direct, server, project, workload, mutate, json, html,
                endWithParent,
        };
        command.Validators.Add(result =>
        {
            Exclude(result, minutes, faults, "give one of them: a time or a number");
            Exclude(result, server, project, "a server that is there already needs no project");
            foreach (var option in (Option[])[replicas, balancers, kinds, direct, mutate, faults, spacing])
                Exclude(result, server, option, "nothing is started or broken by Lab there");
            if (IsGiven(result, project) && !IsGiven(result, workload))
                result.AddError("--project needs --workload: name a JSON file that lists the tools of your server.");
            if (result.GetResult(sessions) is { } given && Value(given) == "0" &&
                (result.GetResult(typescript) is not { } further || Value(further) is null or "0"))
                result.AddError("--sessions 0 needs some --typescript sessions: without sessions there is nothing to check.");
        });
        command.SetAction((result, cancellationToken) =>
        {
            var chosen = Split(result.GetValue(kinds));
            var isDirect = result.GetValue(direct);
            List<FaultKind> all = chosen.Length > 0
                ? [.. chosen.Select(kind => FaultForms.Names[kind]).Distinct().Order()]
                : [.. Enum.GetValues<FaultKind>().Where(kind =>
                    kind == FaultKind.Balancer ? !isDirect : RedisServer.Executable is not null || !FaultForms.HitsStore(kind))];
            var count = result.GetValue(faults);
            var number = result.GetValue(seed) ?? Random.Shared.Next(1, 1_000_000);
            return ChaosRun.RunAsync(
                new ChaosOptions
                {
                    Replicas = result.GetValue(replicas),
                    Balancers = result.GetValue(balancers),
                    Sessions = result.GetValue(sessions),
                    TypeScript = result.GetValue(typescript),
                    Rate = result.GetValue(rate),
                    Faults = count,
                    Duration = count is null ? TimeSpan.FromMinutes(result.GetValue(minutes) ?? 5) : null,
                    Seed = number,
                    Kinds = all,
                    Spacing = TimeSpan.FromSeconds(result.GetValue(spacing)),
                    Direct = isDirect,
                    Server = result.GetValue(server),
                    Project = result.GetValue(project),
                    Workload = result.GetValue(workload)?.FullName,
                    Mutation = result.GetValue(mutate) is { } name ? Mutation.Find(name) : null,
                    JsonFile = result.GetValue(json)?.FullName,
                    HtmlFile = result.GetValue(html)?.FullName,
                    EndWithParent = result.GetValue(endWithParent),
                    Folder = Path.GetFullPath(Path.Combine(".lab", Name, $"{TimeProvider.System.GetLocalNow():yyyyMMdd-HHmmss}-{number}")),
                },
                cancellationToken);
        });
        return command;
    }

    private static string[] Split(string? list) =>
        (list ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static Option<int> Number(string name, string description, int value, int low, int high)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => value, HelpName = "N" };
        option.Validators.Add(result =>
        {
            // A value that is no number has its own error already.
            if (int.TryParse(Value(result), out var given) && (given < low || given > high))
                result.AddError($"{name} must be between {low} and {high}, not {given}.");
        });
        return option;
    }

    private static void Positive(Option option) => option.Validators.Add(result =>
    {
        if (double.TryParse(Value(result), CultureInfo.InvariantCulture, out var value) && value is not (> 0 and < 1_000_000))
            result.AddError($"{option.Name} must be more than 0, not {Value(result)}.");
    });

    private static Uri? ReadUrl(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https")
            return url;
        result.AddError($"--server must be the URL of an MCP endpoint, such as http://127.0.0.1:5200/mcp, not '{text}'.");
        return null;
    }

    private static void MustExist(OptionResult result, Option option)
    {
        if (Value(result) is { } path && !File.Exists(path))
            result.AddError($"{option.Name} {path} does not exist: name a file.");
    }

    private static void Exclude(CommandResult result, Option one, Option other, string cure)
    {
        if (IsGiven(result, one) && IsGiven(result, other))
            result.AddError($"{one.Name} and {other.Name} exclude each other: {cure}.");
    }

    private static bool IsGiven(CommandResult result, Option option) => result.GetResult(option) is { Implicit: false };

    private static string? Value(OptionResult result) => result.Tokens.SingleOrDefault()?.Value;
}
