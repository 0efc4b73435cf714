using System.Globalization;
using System.Text;
using Mcp.HighAvailability.Protocol;

namespace Mcp.HighAvailability.Storage;

/// <summary>One entry of the broadcast log.</summary>
public sealed record BroadcastEntry
{
    private const int Fields = 5;

    /// <summary>Where it is.</summary>
    public required BroadcastPosition Position { get; init; }

    /// <summary>
    /// The entry before it, as far as the store knew; <see cref="BroadcastPosition.None"/> for the first of a log of which nothing earlier was known.
    /// </summary>
    public required BroadcastPosition Previous { get; init; }

    /// <summary>Kind of the broadcast; see <see cref="BroadcastPublication.Kind"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>See <see cref="BroadcastPublication.Id"/>.</summary>
    public required string Id { get; init; }

    /// <summary>When the store appended it (UTC, milliseconds, the store's clock).</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The content. Do not change it: all readers share the memory.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>
    /// The entry as stores keep and push it: position, previous, Unix milliseconds, kind and id, separated by spaces, a line feed, the payload.
    /// </summary>
    public byte[] ToBytes() =>
        [.. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Position} {Previous} {Time.ToUnixTimeMilliseconds()} {Kind} {Id}\n")),
            .. Payload.Span];

    /// <summary>Reads what <see cref="ToBytes"/> writes. <see langword="false"/> for anything else.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, out BroadcastEntry entry)
    {
        entry = null!;
        var end = bytes.Span.IndexOf((byte)'\n');
        if (end < 0 || Encoding.ASCII.GetString(bytes.Span[..end]).Split(' ') is not { Length: Fields } fields ||
            !BroadcastPosition.TryParse(fields[0], out var position) || position.IsNone || !BroadcastPosition.TryParse(fields[1], out var previous) ||
            !long.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out var time) || time > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
        {
            return false;
        }

        entry = new()
        {
            Position = position,
            Previous = previous,
            Time = DateTimeOffset.FromUnixTimeMilliseconds(time),
            Kind = fields[3],
            Id = fields[4],
            Payload = bytes[(end + 1)..],
        };
        return true;
    }
}
