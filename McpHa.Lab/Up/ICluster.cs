using McpHa.Lab.Processes;

namespace McpHa.Lab.Up;

/// <summary>A running cluster, of processes or within this one.</summary>
internal interface ICluster : IAsyncDisposable
{
    /// <summary>Everything that runs or should run.</summary>
    IReadOnlyList<MemberStatus> Members { get; }

    /// <summary>How long everything that is told to end together may take for what it has under way.</summary>
    TimeSpan Patience { get; }

    /// <summary>Starts it; completes when all members are healthy.</summary>
    /// <exception cref="LabException">A member did not start.</exception>
    Task StartAsync(CancellationToken cancellationToken);

    /// <summary>Sends a member a signal; ignored if it is down.</summary>
    void Send(string id, Signal signal);

    /// <summary>The cluster as other programs see it: only what is healthy.</summary>
    ClusterFile ToFile();
}
