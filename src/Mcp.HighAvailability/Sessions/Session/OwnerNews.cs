using System.Buffers.Binary;
using System.Text;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>What the owner of a session tells all replicas: another one that has the session, and not with a newer epoch, checks it.</summary>
/// <remarks>
/// A message is the epoch (8 bytes) and words without blanks (ASCII): session, owner, and what else is to be told. A store that has lost a take-over may
/// give its epoch to another owner, so epochs may be the same.
/// </remarks>
internal static class OwnerNews
{
    public const string Topic = "sessions";

    /// <summary>Tells the cluster. Nothing depends on whether the message arrives.</summary>
    /// <param name="bus">Carries the message.</param>
    /// <param name="epoch">The owner's epoch.</param>
    /// <param name="words">Session, owner, and what else is to be told.</param>
    public static async Task AnnounceAsync(IEventBus bus, long epoch, params string[] words)
    {
        var text = string.Join(' ', words);
        var message = new byte[sizeof(long) + Encoding.ASCII.GetByteCount(text)];
        BinaryPrimitives.WriteInt64BigEndian(message, epoch);
        Encoding.ASCII.GetBytes(text, message.AsSpan(sizeof(long)));
        try
        {
            await bus.PublishAsync(Topic, message).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // Nothing depends on it: a former owner checks by itself when the store is back.
        }
    }

    /// <summary>Reads a message. <see langword="false"/> when it is none of these.</summary>
    public static bool TryRead(ReadOnlySpan<byte> message, out long epoch, out string[] words)
    {
        words = BinaryPrimitives.TryReadInt64BigEndian(message, out epoch) ? Encoding.ASCII.GetString(message[sizeof(long)..]).Split(' ') : [];
        return words.Length > 1;
    }
}
