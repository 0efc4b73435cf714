using System.Globalization;
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
    private const string None = "-";

    /// <summary>Tells the cluster. Nothing depends on whether the message arrives.</summary>
    public Task AnnounceAsync(IEventBus bus)
    {
        var microseconds = ((long)Took.TotalMicroseconds).ToString(CultureInfo.InvariantCulture);
        return OwnerNews.AnnounceAsync(bus, Epoch, SessionId, To, From.Length > 0 ? From : None, Reason, microseconds);
    }

    /// <summary>Reads a message; <see langword="null"/> when it is none of these.</summary>
    public static TakeOverNews? Read(ReadOnlySpan<byte> message) =>
        OwnerNews.TryRead(message, out var epoch, out var words) && words is [var session, var to, var from, var reason, var took, ..] &&
        long.TryParse(took, NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds) && microseconds < TimeSpan.MaxValue.TotalMicroseconds
            ? new(session, epoch, from == None ? "" : from, to, reason, TimeSpan.FromMicroseconds(microseconds))
            : null;
}
