using System.Globalization;
using System.Text;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Redis;

/// <summary>
/// Changes of the owner as text, the way that the scripts write them: a line each of epoch, from, to, reason, Unix ms and how long it took in ms.
/// </summary>
internal static class RedisHops
{
    private const string Unknown = "-";

    public static string Write(SessionHops hops)
    {
        var text = new StringBuilder();
        foreach (var hop in hops)
        {
            text.Append(CultureInfo.InvariantCulture,
                $"{hop.Epoch} {(hop.From.Length > 0 ? hop.From : Unknown)} {hop.To} {hop.Reason} {hop.Time.ToUnixTimeMilliseconds()} ")
                .Append(hop.Took is { } took ? Milliseconds(took) : Unknown).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>Reads what can be read: a session does not depend on it.</summary>
    public static SessionHops Read(string? text) => string.IsNullOrEmpty(text) ? SessionHops.None : new(text.Split('\n').Select(Parse).OfType<SessionHop>());

    public static string Milliseconds(TimeSpan took) => Math.Max(0, took.TotalMilliseconds).ToString("0.0", CultureInfo.InvariantCulture);

    private static SessionHop? Parse(string line) =>
        line.Split(' ') is [var epoch, var from, var to, var reason, var time, var took] &&
        long.TryParse(epoch, NumberStyles.None, CultureInfo.InvariantCulture, out var number) &&
        long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var ms) && ms <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? new(number, from == Unknown ? "" : from, to, reason, DateTimeOffset.FromUnixTimeMilliseconds(ms), Duration(took))
            : null;

    private static TimeSpan? Duration(string took) =>
        double.TryParse(took, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var ms) && ms < TimeSpan.MaxValue.TotalMilliseconds
            ? TimeSpan.FromMilliseconds(ms) : null;
}
