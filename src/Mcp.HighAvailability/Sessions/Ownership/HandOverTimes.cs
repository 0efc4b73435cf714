namespace Mcp.HighAvailability.Sessions;

/// <summary>How long a session that is handed over may wait for its calls.</summary>
/// <param name="Hurry">Ends the waiting for a moment without calls: one is made, by letting new calls wait.</param>
/// <param name="Late">From now on what must not run twice waits for the next owner, because it might be broken off here.</param>
/// <param name="Overdue">Ends the waiting for calls.</param>
/// <param name="CalledOff">Lets a session that has not moved yet stay.</param>
internal readonly record struct HandOverTimes(CancellationToken Hurry, CancellationToken Late, CancellationToken Overdue, CancellationToken CalledOff)
{
    public bool IsOver => Overdue.IsCancellationRequested || CalledOff.IsCancellationRequested;
}
