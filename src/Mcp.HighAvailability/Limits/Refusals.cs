using System.Globalization;
using System.Net;
using System.Text;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Security;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Limits;

/// <summary>Answers requests of clients that are at a limit, and logs once a minute which clients they were. Thread-safe.</summary>
/// <remarks>A minute begins with a refusal. In each at most <see cref="MaxKept"/> clients are told apart, and <see cref="MaxLogged"/> named.</remarks>
internal sealed partial class Refusals(TimeProvider time, ILogger<Refusals> logger)
{
    public const int MaxKept = 1_000;
    public const int MaxLogged = 10;

    private const string Others = "others";
    private const int ShownOfId = 16;
    private const int ShownOfHash = 16;
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private Dictionary<(string Client, string Setting), long>? _counts; // null: no minute has begun

    /// <summary>Answers with status 429.</summary>
    /// <param name="context">The request.</param>
    /// <param name="limit">The limit in words.</param>
    /// <param name="setting">The setting that raises it.</param>
    /// <param name="id">The JSON-RPC id of the request.</param>
    /// <param name="sessionId">The session that is at the limit, if it is one.</param>
    /// <param name="retryAfter">When the client may ask again.</param>
    /// <param name="advice">What else the client can do.</param>
    public Task TooManyAsync(
        HttpContext context, string limit, string setting, RequestId id = default, string? sessionId = null, TimeSpan? retryAfter = null, string advice = "")
    {
        Note(NameOf(context, sessionId), setting);
        return HttpAnswers.TooManyAsync(context, $"{limit} ({setting}).{advice}", id, retryAfter);
    }

    /// <summary>A user as the log names it: the beginning of the SHA-256 of issuer, line feed, subject.</summary>
    public static string HashOf(string user) => ContentHash.Of(Encoding.UTF8.GetBytes(user)).ToString()[..ShownOfHash];

    private static string NameOf(HttpContext context, string? sessionId)
    {
        var client = UserKey.Of(context.User) is { Length: > 0 } user ? $"user {HashOf(user)}" : $"address {Text(context.Connection.RemoteIpAddress)}";
        return sessionId is { Length: > ShownOfId } ? $"session {sessionId[..ShownOfId]}… of {client}" : client;
    }

    private static string Text(IPAddress? address) =>
        address is null ? "unknown" : (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString();

    private void Note(string client, string setting)
    {
        lock (_gate)
        {
            if (_counts is { } counts)
            {
                var kind = counts.Count < MaxKept || counts.ContainsKey((client, setting)) ? (client, setting) : (Others, setting);
                counts[kind] = counts.GetValueOrDefault(kind) + 1;
                return;
            }

            _counts = new() { [(client, setting)] = 1 };
        }

        // The line is about all clients: it takes neither trace nor log scope from the first one.
        ThreadPool.UnsafeQueueUserWorkItem(static self => _ = self.WriteLaterAsync(), this, preferLocal: false);
    }

    private async Task WriteLaterAsync()
    {
        await Task.Delay(Interval, time).ConfigureAwait(false);
        Dictionary<(string Client, string Setting), long> counts;
        lock (_gate)
            (counts, _counts) = (_counts!, null);
        var named = counts.OrderByDescending(pair => pair.Value).Take(MaxLogged)
            .Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key.Client} {pair.Value} at {pair.Key.Setting}"));
        LogRefused(counts.Values.Sum(), string.Join("; ", named));
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Requests refused with 429 within a minute: {Count}. By client and setting: {Clients}. Look for a client in a loop before you raise a " +
            "setting.")]
    private partial void LogRefused(long count, string clients);
}
