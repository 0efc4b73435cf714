namespace Mcp.HighAvailability.Sessions;

/// <summary>Lets sessions that could move at any time do so a few at a time, and leaves processors to the requests of all others in between.</summary>
/// <remarks>
/// A hand-over costs its next owner, the balancers and this replica processor time, and no client waits for that of an idle session. All of them one
/// behind the other would slow the calls of that time.
/// </remarks>
internal sealed class HandOverTurns(TimeProvider time, int atOnce)
{
    // A third of the time is for hand-overs.
    private const int RestsFor = 2;
    private static readonly TimeSpan MaxRest = TimeSpan.FromMilliseconds(100);

    private readonly SemaphoreSlim _turns = new(atOnce);

    /// <summary>Waits for a turn; it ends when the result is disposed.</summary>
    public async ValueTask<Turn> EnterAsync(CancellationToken cancellationToken)
    {
        await _turns.WaitAsync(cancellationToken).ConfigureAwait(false);
        return new Turn(time, _turns, time.GetTimestamp());
    }

    /// <summary>A turn, until it is disposed.</summary>
    public readonly struct Turn(TimeProvider time, SemaphoreSlim turns, long begun) : IDisposable
    {
        /// <summary>Lets some time pass, in proportion to what the turn has taken, before the next one may begin.</summary>
        /// <param name="hurry">There is no time left to lose.</param>
        public async ValueTask RestAsync(CancellationToken hurry)
        {
            var rest = RestsFor * time.GetElapsedTime(begun);
            if (rest > TimeSpan.Zero && !hurry.IsCancellationRequested)
                await Task.Delay(rest < MaxRest ? rest : MaxRest, time, hurry).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        /// <inheritdoc/>
        public void Dispose() => turns.Release();
    }
}
