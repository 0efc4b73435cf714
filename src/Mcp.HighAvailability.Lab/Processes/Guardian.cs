using System.Diagnostics;
using System.Globalization;

namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>
/// The small shell program between Lab and each child. Its standard input is a pipe that Lab holds open and never writes to: when Lab
/// ends in whatever way, <c>kill -9</c> included, the pipe closes and the guardian ends the child. That works for every program and needs
/// nothing of the child, and unlike a parent death signal it does not depend on the thread that started it.
/// </summary>
internal static class Guardian
{
    // Prints the child's process id and, when it has ended, its exit code. $1: "-" if the guardian leads a process group of its own,
    // so that children of the child can be ended with it. $2: the log file. $3: the priority of its autogroup, or nothing. The rest: the child's
    // command.
    private const string Script = """
        group=$1; log=$2; nice=$3; shift 3
        [ -z "$nice" ] || echo "$nice" 2>/dev/null >/proc/$$/autogroup
        exec 3<&0 </dev/null 2>>"$log"
        "$@" >>"$log" 2>&1 3<&- &
        child=$!
        [ -n "$group" ] && all=-$$ || all=$child
        echo "$child"
        {
          read -r _ <&3
          kill -TERM "$child"
          for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$child" || break; sleep 0.2; done
          kill -KILL "$all"
        } >/dev/null 2>&1 &
        watch=$!
        exec 3<&-
        wait "$child" 2>/dev/null
        echo "$?"
        kill -KILL "$watch" "$all" 2>/dev/null
        """;

    // A session of its own keeps Ctrl-C in Lab's terminal away from the children: Lab ends them, in order.
    private static readonly string? SetSid = Executables.Find("setsid");

    /// <summary>How to start it. A new session begins at the usual priority, so it is given the one that Lab has.</summary>
    public static ProcessStartInfo StartInfo(ProcessSpec spec) => StartInfo(spec, Autogroup.Priority("self") ?? 0);

    internal static ProcessStartInfo StartInfo(ProcessSpec spec, int priority)
    {
        var start = new ProcessStartInfo(SetSid ?? "/bin/sh")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = spec.WorkingDirectory,
        };
        foreach (var (name, value) in spec.Environment)
            start.Environment[name] = value;
        if (SetSid is not null)
            start.ArgumentList.Add("/bin/sh");

        string[] script = ["-c", Script, "guardian", SetSid is null ? "" : "-", spec.LogFile, SetSid is null || priority == 0 ? ""
            : priority.ToString(CultureInfo.InvariantCulture), .. PassedByName(start.Environment), spec.FileName];
        foreach (var argument in script.Concat(spec.Arguments))
            start.ArgumentList.Add(argument);
        return start;
    }

    // A shell drops variables whose names it could not use itself, such as those of log categories.
    private static IEnumerable<string> PassedByName(IEnumerable<KeyValuePair<string, string?>> environment)
    {
        var dropped = environment
            .Where(static variable => variable.Value is not null && !variable.Key.All(static c => char.IsAsciiLetterOrDigit(c) || c == '_'))
            .Select(static variable => $"{variable.Key}={variable.Value}").ToList();
        return dropped.Count == 0 ? [] : ["env", .. dropped];
    }
}
