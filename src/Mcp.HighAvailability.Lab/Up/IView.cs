namespace Mcp.HighAvailability.Lab.Up;

/// <summary>How a run of <c>up</c> shows itself.</summary>
internal interface IView
{
    /// <summary>Shows one line. May be called from any thread.</summary>
    void Say(string line);

    /// <summary>Shows the running cluster until the token ends or the user quits.</summary>
    Task RunAsync(ProcessCluster cluster, CancellationToken cancellationToken);
}
