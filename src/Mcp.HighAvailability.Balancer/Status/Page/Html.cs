using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;

namespace Mcp.HighAvailability.Balancer.Status.Page;

/// <summary>
/// Writes HTML. Markup is ours; whatever comes from elsewhere goes through <see cref="Text"/>. Without line breaks, so that it fits into one
/// server-sent event.
/// </summary>
internal static class Html
{
    public static StringBuilder Text(this StringBuilder page, string value) => page.Append(HtmlEncoder.Default.Encode(value));

    public static StringBuilder Number(this StringBuilder page, double value, string format = "N0") =>
        page.Append(value.ToString(format, CultureInfo.InvariantCulture));

    /// <summary>A time of today as hours, minutes and seconds, UTC; an older one with its date. Machines read all of it.</summary>
    public static StringBuilder Time(this StringBuilder page, DateTimeOffset time, DateTimeOffset now)
    {
        var utc = time.UtcDateTime;
        return page.Append(CultureInfo.InvariantCulture, $"<time datetime=\"{utc:yyyy-MM-ddTHH:mm:ss.fff}Z\">").Append(utc.ToString(
            utc.Date == now.UtcDateTime.Date ? "HH:mm:ss" : "yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)).Append("</time>");
    }

    public static string Duration(double milliseconds) => milliseconds switch
    {
        < 10 => milliseconds.ToString("0.0 'ms'", CultureInfo.InvariantCulture),
        < 1_000 => milliseconds.ToString("0 'ms'", CultureInfo.InvariantCulture),
        < 60_000 => (milliseconds / 1_000).ToString("0.0 's'", CultureInfo.InvariantCulture),
        _ => Age(TimeSpan.FromMilliseconds(milliseconds)),
    };

    public static string Age(TimeSpan age) => age switch
    {
        { TotalDays: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{(int)age.TotalDays} d {age.Hours} h"),
        { TotalHours: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{(int)age.TotalHours} h {age.Minutes} min"),
        { TotalMinutes: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{(int)age.TotalMinutes} min {age.Seconds} s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, (int)age.TotalSeconds)} s"),
    };

    public static string Bytes(long bytes) => bytes switch
    {
        < 1L << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.#} KiB"),
        < 1L << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 20):0.#} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.#} GiB"),
    };

    public static string Plural(long count, string noun) => string.Create(CultureInfo.InvariantCulture, $"{count:N0} {noun}{(count == 1 ? "" : "s")}");
}
