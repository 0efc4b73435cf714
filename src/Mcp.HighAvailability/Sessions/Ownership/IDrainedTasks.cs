namespace Mcp.HighAvailability.Sessions;

/// <summary>Tasks that run on a replica, and that a drain ends or hands over.</summary>
internal interface IDrainedTasks
{
    /// <summary>Completes when none is left here, at the latest when <c>DrainTimeout</c> is over. Does not fail.</summary>
    /// <param name="cancellationToken">Ends the wait for tasks that still run.</param>
    Task DrainAsync(CancellationToken cancellationToken);
}
