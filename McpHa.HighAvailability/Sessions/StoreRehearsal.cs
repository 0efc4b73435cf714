using McpHa.HighAvailability.Journal;

namespace McpHa.HighAvailability.Sessions;

/// <summary>Everything that a take-over asks of the store, once, with a session that is ended at once: it loads the scripts, and the code that sends them.</summary>
internal sealed class StoreRehearsal(ISessionStore store, ISessionJournal journal, TimeProvider time)
{
    private const string Owner = "rehearsal";

    /// <returns>The session, which has ended.</returns>
    /// <exception cref="StoreUnavailableException">The store is away.</exception>
    public async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        var record = MakeBelieve.Record(time);
        await store.CreateAsync(record, cancellationToken).ConfigureAwait(false);
        await store.CommitAsync(record.Id, MakeBelieve.CallInFlight(time), cancellationToken).ConfigureAwait(false);
        await store.FindAsync(record.Id, cancellationToken).ConfigureAwait(false);
        await store.TakeOverAsync(record.Id, 1, Owner, cancellationToken).ConfigureAwait(false);
        await store.CommitAsync(
            record.Id,
            new SessionCommit
            {
                Epoch = 2,
                Number = 2,
                LastPosition = 2,
                Append = [new JournalEntry { Position = 2, Stream = MakeBelieve.Stream, Payload = "{}"u8.ToArray(), Time = time.GetUtcNow() }],
                Calls = [new(MakeBelieve.Stream, null)],
            },
            cancellationToken).ConfigureAwait(false);
        await foreach (var _ in journal.ReadAsync(record.Id, MakeBelieve.Stream, 0, cancellationToken).ConfigureAwait(false))
        {
            // A few entries, and nobody to read it.
        }

        await store.EndAsync(record.Id, 2, cancellationToken).ConfigureAwait(false);
        return record.Id;
    }
}
