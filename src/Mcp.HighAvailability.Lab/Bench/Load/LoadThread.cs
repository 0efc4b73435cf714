using System.Diagnostics;
using System.Net.Sockets;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench.Load;

/// <summary>Drives all connections of a load from one thread: a server is measured, not the thread switches of its clients.</summary>
internal sealed class LoadThread(IReadOnlyList<CallConnection> connections, CallKind kind, CancellationToken cancellationToken)
{
    /// <summary>How long a call may take.</summary>
    public static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(20);

    private readonly Dictionary<Socket, CallConnection> _bySocket = connections.ToDictionary(connection => connection.Socket);

    /// <summary>Calls until a moment, in <see cref="Stopwatch"/> ticks, has passed and all answers are there.</summary>
    public Task RunAsync(long until) =>
        Task.Factory.StartNew(() => Run(until), cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Run(long until)
    {
        var waiting = new List<CallConnection>(connections);
        var ready = new List<Socket>(connections.Count);
        waiting.ForEach(connection => connection.Send(kind));
        while (waiting.Count > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ready.Clear();
            foreach (var connection in waiting)
                ready.Add(connection.Socket);

            // A single one blocks in its own read.
            if (ready.Count > 1)
                Socket.Select(ready, null, null, AnswerTimeout);
            if (ready.Count == 0)
                throw new LabException($"{waiting.Count} calls had no answer within {AnswerTimeout.TotalSeconds:0} s. See the logs in .lab/bench/logs.");
            foreach (var socket in ready)
            {
                var connection = _bySocket[socket];
                if (!connection.Receive())
                    continue;
                if (connection.Socket != socket)
                    _bySocket[connection.Socket] = connection;
                if (connection.Error is null && Stopwatch.GetTimestamp() < until)
                    connection.Send(kind);
                else
                    waiting.Remove(connection);
            }
        }
    }
}
