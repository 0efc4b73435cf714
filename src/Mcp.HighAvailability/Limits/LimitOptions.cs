using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Limits;

/// <summary>
/// What one client may take of a replica. Bound from the configuration section <c>HighAvailability:Limits</c>. A client at a limit gets an error with
/// <c>Retry-After</c>; other clients notice nothing. Besides: <see cref="HighAvailabilityOptions.MaxRequestBodySize"/>, and what is kept of a session's
/// journal
/// (<c>HighAvailability:Sessions</c>).
/// </summary>
/// <remarks>Counted per replica and without a lock, so a few requests that come at the same moment may get past.</remarks>
public sealed class LimitOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string SectionName = HighAvailabilityOptions.SectionName + ":Limits";

    /// <summary>
    /// Sessions in one replica; beyond it <c>initialize</c> is answered with 503. Sessions of lost replicas are taken over all the same. Default:
    /// 100,000.
    /// </summary>
    public int Sessions { get; set; } = 100_000;

    /// <summary>Sessions of one signed-in user in one replica; beyond it <c>initialize</c> is answered with 429. Default: 1,000.</summary>
    public int SessionsPerUser { get; set; } = 1_000;

    /// <summary>Calls of one session in flight; beyond it requests are answered with 429. Default: 256.</summary>
    public int CallsPerSession { get; set; } = 256;

    /// <summary>Responses that read streams of one session at the same time; beyond it GETs are answered with 429. Default: 320.</summary>
    public int StreamsPerSession { get; set; } = 320;

    /// <summary>Resources that one session is subscribed to; beyond it subscriptions are answered with 429. Default: 1,000.</summary>
    public int SubscriptionsPerSession { get; set; } = 1_000;

    /// <summary>
    /// Bytes that are recorded of one session for its next owner: the client's description of itself, its log level, and the URIs of its
    /// subscriptions. Beyond it <c>initialize</c> is answered with 413, and a subscription with 429. Default: 256 KiB.
    /// </summary>
    public int HandshakeBytesPerSession { get; set; } = 256 * 1024;

    /// <summary>
    /// Bytes of the requests of one session that are in flight, which its next owner would run again; beyond it requests are answered with 429. One
    /// request is always allowed. Default: 16 MiB.
    /// </summary>
    public int CallBytesPerSession { get; set; } = 16 * 1024 * 1024;

    /// <summary>
    /// Requests that wait in one replica for an owner or a store that cannot be reached; beyond it they are answered with 503. Default: 10,000.
    /// </summary>
    public int HeldRequests { get; set; } = 10_000;

    /// <summary>
    /// Bytes of request bodies that are held at the same time in one replica, from their arrival to the end of their requests; beyond it requests are
    /// answered with 503. Never less than one body of <see cref="HighAvailabilityOptions.MaxRequestBodySize"/>. Default: a quarter of the memory that
    /// the process may use, at most 1 GiB.
    /// </summary>
    public long? BodyBytes { get; set; }

    /// <summary>Bytes of request line and headers together; larger ones are answered with 431 by the web server. Default: 32 KiB.</summary>
    public int HeaderBytes { get; set; } = 32 * 1024;

    /// <summary>
    /// Requests per second of one signed-in user, or of one address for those who have not signed in; beyond it 429. 0: no limit. Behind a balancer all
    /// addresses are the balancer's: there, set <c>Balancer:RequestsPerSecond</c>. Default: 1,000, and none for addresses of private networks.
    /// </summary>
    public int? RequestsPerSecond { get; set; }

    /// <summary>
    /// Requests without a session that are served at the same time in one replica, streams of <c>subscriptions/listen</c> included; beyond it they are
    /// answered with 503. Default: 10,000.
    /// </summary>
    public int StatelessCalls { get; set; } = 10_000;

    /// <summary>Those of one signed-in user; beyond it they are answered with 429. Default: 1,000.</summary>
    public int StatelessCallsPerUser { get; set; } = 1_000;

    /// <summary>Requests that may come at once after a pause. Default: twice <see cref="RequestsPerSecond"/>.</summary>
    public int? Burst { get; set; }
}

internal sealed class LimitOptionsValidator : IValidateOptions<LimitOptions>
{
    public ValidateOptionsResult Validate(string? name, LimitOptions options)
    {
        List<string> failures = [];
        AtLeast(options.Sessions, 1, nameof(options.Sessions));
        AtLeast(options.SessionsPerUser, 1, nameof(options.SessionsPerUser));
        AtLeast(options.CallsPerSession, 1, nameof(options.CallsPerSession));
        AtLeast(options.StreamsPerSession, 1, nameof(options.StreamsPerSession));
        AtLeast(options.SubscriptionsPerSession, 0, nameof(options.SubscriptionsPerSession));
        AtLeast(options.HandshakeBytesPerSession, 1024, nameof(options.HandshakeBytesPerSession));
        AtLeast(options.CallBytesPerSession, 1024, nameof(options.CallBytesPerSession));
        AtLeast(options.HeldRequests, 0, nameof(options.HeldRequests));
        AtLeast(options.StatelessCalls, 1, nameof(options.StatelessCalls));
        AtLeast(options.StatelessCallsPerUser, 1, nameof(options.StatelessCallsPerUser));
        AtLeast(options.BodyBytes ?? 1024, 1024, nameof(options.BodyBytes));
        AtLeast(options.HeaderBytes, 4096, nameof(options.HeaderBytes));
        AtLeast(options.RequestsPerSecond ?? 0, 0, nameof(options.RequestsPerSecond));
        AtLeast(options.Burst ?? 1, 1, nameof(options.Burst));
        return failures.Count > 0 ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;

        void AtLeast(long value, int least, string property)
        {
            if (value < least)
                failures.Add($"{LimitOptions.SectionName}:{property} is {value}; set it to {least} or more, or leave it out for the default.");
        }
    }
}
