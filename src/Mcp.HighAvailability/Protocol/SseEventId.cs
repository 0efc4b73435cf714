using System.Globalization;

namespace Mcp.HighAvailability.Protocol;

/// <summary>
/// SSE event id: the HTTP stream and a position in the session's journal, written <c>{stream}-{position}</c>; on a GET stream followed by a position in the
/// broadcast log, <c>{stream}-{position}-{broadcast}</c>.
/// </summary>
/// <remarks>
/// Both positions are those that the client has come to with the event, so a resume sends what is missing of both.
/// Streams are named <c>c{epoch}x{n}</c> (answers to the n-th request that the owner of that epoch accepted) or
/// <c>g{epoch}x{n}</c> (its n-th GET stream), so a name is never given twice, also not by another owner.
/// </remarks>
public readonly record struct SseEventId(string Stream, long Position, BroadcastPosition? Broadcast = null)
{
    /// <summary>First letter of streams that answer a client request.</summary>
    public const char CallStream = 'c';

    /// <summary>First letter of GET streams.</summary>
    public const char GetStream = 'g';

    /// <summary>Stream name under which messages wait in the journal until a GET stream takes them. In no event id.</summary>
    internal const string WaitingStream = "w";

    private const int MaxLength = 112;

    /// <summary>Whether the stream answers a client request; otherwise it is a GET stream.</summary>
    public bool IsCall => Stream[0] == CallStream;

    /// <summary>Epoch of the owner that opened the stream.</summary>
    public long Epoch => long.Parse(Stream.AsSpan(1, Stream.IndexOf('x', StringComparison.Ordinal) - 1), CultureInfo.InvariantCulture);

    /// <summary>Number of the stream among those of its kind and epoch.</summary>
    public long Number => long.Parse(Stream.AsSpan(Stream.IndexOf('x', StringComparison.Ordinal) + 1), CultureInfo.InvariantCulture);

    /// <summary>Names a stream.</summary>
    public static string NameStream(char kind, long epoch, long number) =>
        string.Create(CultureInfo.InvariantCulture, $"{kind}{epoch}x{number}");

    /// <summary>Reads an event id. <see langword="false"/> for anything that this library cannot have issued.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out SseEventId id)
    {
        id = default;
        var dash = text.IndexOf('-');
        if (dash < 4 || text.Length > MaxLength || text[0] is not (CallStream or GetStream))
            return false;
        var cross = text[..dash].IndexOf('x');
        BroadcastPosition? broadcast = null;
        if (text[0] == GetStream && text[(dash + 1)..].IndexOf('-') is >= 0 and var second)
        {
            if (!BroadcastPosition.TryParse(text[(dash + second + 2)..], out var position))
                return false;
            broadcast = position;
            text = text[..(dash + second + 1)];
        }

        if (cross < 2 || !IsNumber(text[1..cross], 1) || !IsNumber(text[(cross + 1)..dash], 1) || !IsNumber(text[(dash + 1)..], 0))
            return false;
        id = new(text[..dash].ToString(), long.Parse(text[(dash + 1)..], CultureInfo.InvariantCulture), broadcast);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => Broadcast is { } broadcast
        ? string.Create(CultureInfo.InvariantCulture, $"{Stream}-{Position}-{broadcast}")
        : string.Create(CultureInfo.InvariantCulture, $"{Stream}-{Position}");

    private static bool IsNumber(ReadOnlySpan<char> digits, long least) =>
        digits.Length is > 0 and <= 18 &&
        !digits.ContainsAnyExceptInRange('0', '9') &&
        (digits.Length == 1 || digits[0] != '0') &&
        long.Parse(digits, CultureInfo.InvariantCulture) >= least;
}
