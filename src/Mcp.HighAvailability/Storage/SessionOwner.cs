namespace Mcp.HighAvailability.Storage;

/// <summary>Owner, epoch and position of a session.</summary>
/// <param name="Owner">As <see cref="SessionRecord.Owner"/>.</param>
/// <param name="Epoch">As <see cref="SessionRecord.Epoch"/>.</param>
/// <param name="LastPosition">As <see cref="SessionRecord.LastPosition"/>.</param>
/// <param name="LastCommit">As <see cref="SessionRecord.LastCommit"/>.</param>
public sealed record SessionOwner(string Owner, long Epoch, long LastPosition, long LastCommit);
