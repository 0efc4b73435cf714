using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>A take-over, as the new owner tells the cluster of it: former owners stop, and balancers show it.</summary>
/// <param name="SessionId">The session.</param>
/// <param name="Epoch">Its new epoch.</param>
/// <param name="From">Its owner before; empty when it had none.</param>
/// <param name="To">Its owner now.</param>
/// <param name="Reason">One of <see cref="TakeOverReasons"/>.</param>
/// <param name="Took">From the decision until the session served.</param>
internal sealed record TakeOverNews(string SessionId, long Epoch, string From, string To, string Reason, TimeSpan Took)
{
    public const string Topic = "sessions";

    private const string None = "-";

    /// <summary>Tells the cluster. Nothing depends on whether it arrives.</summary>
    public async Task AnnounceAsync(IEventBus bus)
    {
        try
        {
            await bus.PublishAsync(Topic, Write()).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // Nothing depends on it: the former owner checks by itself when the store is back.
        }
    }

    // The epoch, 8 bytes, and then words. None of them has a blank.
    public byte[] Write()
    {
        var words = $"{SessionId} {(From.Length > 0 ? From : None)} {To} {Reason} {((long)Took.TotalMicroseconds).ToString(CultureInfo.InvariantCulture)}";
        var message = new byte[sizeof(long) + Encoding.ASCII.GetByteCount(words)];
        BinaryPrimitives.WriteInt64BigEndian(message, Epoch);
        Encoding.ASCII.GetBytes(words, message.AsSpan(sizeof(long)));
        return message;
    }

    /// <summary>Reads a message; <see langword="null"/> when it is none of these.</summary>
    public static TakeOverNews? Read(ReadOnlySpan<byte> message) =>
        message.Length > sizeof(long) && Encoding.ASCII.GetString(message[sizeof(long)..])
            .Split(' ') is [var session, var from, var to, var reason, var took, ..] &&
        long.TryParse(took, NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds) && microseconds < TimeSpan.MaxValue.TotalMicroseconds
            ? new(session, BinaryPrimitives.ReadInt64BigEndian(message), from == None ? "" : from, to, reason, TimeSpan.FromMicroseconds(microseconds))
            : null;
}
