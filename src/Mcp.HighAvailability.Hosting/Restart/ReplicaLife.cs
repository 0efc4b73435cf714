using Aspire.Hosting.ApplicationModel;

namespace Mcp.HighAvailability.Hosting.Restart;

/// <summary>Decides from the states that a replica goes through whether it starts again. Not thread-safe.</summary>
internal sealed class ReplicaLife(RestartPolicy policy, TimeProvider time)
{
    private Phase _phase = Phase.Down;
    private int _restarts;
    private long _upSince;

    private enum Phase
    {
        Down,
        Up,
        Stopping,
    }

    /// <summary>Whether the next end is wanted: the replica stays down. That end resets it.</summary>
    public bool StaysDown { get; set; }

    /// <summary>Takes note of a state. The result says what to do.</summary>
    public Decision Next(string? state)
    {
        if (state == KnownResourceStates.Stopping)
        {
            _phase = Phase.Stopping;
        }
        else if (state == KnownResourceStates.Running && _phase is not Phase.Up)
        {
            _phase = Phase.Up;
            _upSince = time.GetTimestamp();
        }
        else if (state == KnownResourceStates.Starting)
        {
            // A start that fails is an end, too.
            _phase = Phase.Up;
            _upSince = time.GetTimestamp();
        }
        else if (KnownResourceStates.TerminalStates.Contains(state) && _phase is not Phase.Down)
        {
            return OnEnded();
        }

        return Decision.Nothing;
    }

    private Decision OnEnded()
    {
        var isWanted = _phase is Phase.Stopping || StaysDown;
        _phase = Phase.Down;
        StaysDown = false;
        if (isWanted)
        {
            _restarts = 0;
            return Decision.Nothing;
        }

        _restarts = policy.Count(_restarts, time.GetElapsedTime(_upSince));
        if (policy.DelayAfter(_restarts) is not { } delay)
        {
            _restarts = 0;
            return new Decision.GiveUp(policy.MaxRestarts);
        }

        _restarts++;
        return new Decision.Restart(delay, _restarts, policy.MaxRestarts);
    }

    internal abstract record Decision
    {
        public static Decision Nothing { get; } = new None();

        private sealed record None : Decision;

        /// <summary>Start the replica after a delay.</summary>
        public sealed record Restart(TimeSpan Delay, int Number, int Max) : Decision;

        /// <summary>The replica ended too often and stays down.</summary>
        public sealed record GiveUp(int Restarts) : Decision;
    }
}
