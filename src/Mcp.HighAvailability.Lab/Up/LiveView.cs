using System.Collections.Concurrent;
using Mcp.HighAvailability.Lab.Processes;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Mcp.HighAvailability.Lab.Up;

/// <summary>A live table for a terminal, with keys to break the cluster.</summary>
internal sealed class LiveView : IView
{
    private const int LinesShown = 8;
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentQueue<string> _lines = new();
    private volatile bool _live;
    private volatile bool _said;
    private int _selected;

    public void Say(string line)
    {
        if (!_live)
        {
            Console.Out.WriteLine(line);
            return;
        }

        _lines.Enqueue($"{TimeProvider.System.GetLocalNow():HH:mm:ss} {line}");
        while (_lines.Count > LinesShown)
            _lines.TryDequeue(out _);
        _said = true;
    }

    public async Task RunAsync(ProcessCluster cluster, CancellationToken cancellationToken)
    {
        _live = true;
        try
        {
            await AnsiConsole.Live(Render(cluster)).AutoClear(false).StartAsync(async context =>
            {
                // Drawn again only when something is different: a terminal over a slow line is a terminal too.
                IReadOnlyList<MemberStatus> shown = [];
                var selected = -1;
                while (!cancellationToken.IsCancellationRequested && HandleKeys(cluster))
                {
                    var members = cluster.Members;
                    if (_said || selected != _selected || !shown.SequenceEqual(members))
                    {
                        (_said, selected, shown) = (false, _selected, members);
                        context.UpdateTarget(Render(cluster));
                    }

                    await Task.Delay(Refresh, cancellationToken).ContinueWith(static _ => { }, TaskScheduler.Default);
                }
            });
        }
        finally
        {
            _live = false;
        }
    }

    private static List<MemberStatus> Replicas(ProcessCluster cluster) =>
        [.. cluster.Members.Where(member => member.Role == Role.Replica)];

    /// <summary>Acts on the keys pressed so far; <see langword="false"/> to quit.</summary>
    private bool HandleKeys(ProcessCluster cluster)
    {
        while (Console.KeyAvailable)
        {
            var key = Console.ReadKey(intercept: true);
            var replicas = Replicas(cluster);
            switch (char.ToLowerInvariant(key.KeyChar))
            {
                case 'q':
                    return false;
                case >= '1' and <= '9' when key.KeyChar - '1' < replicas.Count:
                    _selected = key.KeyChar - '1';
                    break;
                case 'k':
                    Send(cluster, replicas[_selected], Signal.Kill, "kill -9");
                    break;
                case 's':
                    Send(cluster, replicas[_selected], Signal.Terminate, "stop");
                    break;
                default:
                    var step = key.Key switch { ConsoleKey.DownArrow => 1, ConsoleKey.UpArrow => replicas.Count - 1, _ => 0 };
                    _selected = (_selected + step) % replicas.Count;
                    break;
            }
        }

        return true;
    }

    private void Send(ProcessCluster cluster, MemberStatus replica, Signal signal, string what)
    {
        if (replica.ProcessId is null)
            return;
        Say($"{what} {replica.Id} (pid {replica.ProcessId})");
        cluster.Send(replica.Id, signal);
    }

    private Rows Render(ProcessCluster cluster)
    {
        var file = cluster.ToFile();
        var table = new Table().Border(TableBorder.Rounded).AddColumns("", "what", "pid", "address", "state", "starts");
        var number = 0;
        foreach (var member in cluster.Members)
        {
            var replica = member.Role == Role.Replica;
            var marker = replica ? $"{(number == _selected ? "▶" : " ")} {++number}" : "";
            table.AddRow(
                new Text(marker),
                new Text(member.Id, replica && number - 1 == _selected ? new Style(decoration: Decoration.Bold) : Style.Plain),
                new Text($"{member.ProcessId}"),
                new Text(member.Url?.ToString().TrimEnd('/') ?? ""),
                new Text(Show(member.State), new Style(Colour(member.State))),
                new Text($"{member.Starts}"));
        }

        List<IRenderable> rows =
        [
            new Text($"{file.Endpoint}{(file.Dashboard is null ? "" : $"   dashboard {file.Dashboard}")}", new Style(decoration: Decoration.Bold)),
            table,
            new Text("1-9 or arrows select a replica   k kill -9   s stop (SIGTERM)   q quit", new Style(Color.Grey)),
            .. _lines.Select(line => new Text(line)),
        ];
        return new Rows(rows);
    }

    private static string Show(MemberState state) => state switch
    {
        MemberState.Healthy => "healthy",
        MemberState.Starting => "starting",
        _ => "down",
    };

    private static Color Colour(MemberState state) => state switch
    {
        MemberState.Healthy => Color.Green,
        MemberState.Starting => Color.Yellow,
        _ => Color.Red,
    };
}
