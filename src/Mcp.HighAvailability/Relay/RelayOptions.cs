using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Relay;

/// <summary>How exchanges are relayed.</summary>
public sealed class RelayOptions
{
    /// <summary>How long a connection attempt to a replica may take. Default: 1 second.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>A comment is sent on an SSE response that was silent for this long: <see cref="HighAvailabilityOptions.KeepAlive"/>.</summary>
    internal TimeSpan KeepAlive { get; set; } = new HighAvailabilityOptions().KeepAlive;

    /// <summary>Largest JSON answer, and largest single SSE event, that is relayed, in bytes. Default: 64 MiB.</summary>
    public int MaxMessageBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>
    /// A request without a session that may run again is sent to another replica when its replica is lost, until so many were lost with it. Then it ends
    /// with an error. Default: 2.
    /// </summary>
    public int MaxReplicaLosses { get; set; } = 2;

    /// <summary>
    /// How long streams of calls go on when this process is about to end: a call that ends in time needs no resume, which takes a client a second.
    /// </summary>
    internal TimeSpan CallsFinish { get; set; } = TimeSpan.FromSeconds(1);
}

internal sealed class RelayOptionsValidator : IValidateOptions<RelayOptions>
{
    public ValidateOptionsResult Validate(string? name, RelayOptions options)
    {
        List<string> failures = [];
        if (options.ConnectTimeout <= TimeSpan.Zero || options.ConnectTimeout > TimeSpan.FromSeconds(30))
            failures.Add($"RelayOptions.ConnectTimeout is {options.ConnectTimeout}; set it above zero and at most to 30 seconds: failover waits for it.");
        if (options.KeepAlive < TimeSpan.FromMilliseconds(10) || options.KeepAlive > TimeSpan.FromMinutes(5))
            failures.Add($"HighAvailability:KeepAlive is {options.KeepAlive}; set it between 1 second and 5 minutes, below the idle time-out of anything " +
                "in front, for example 00:00:05.");
        if (options.MaxMessageBytes < 4096)
            failures.Add($"RelayOptions.MaxMessageBytes is {options.MaxMessageBytes}; set it to 4096 or more: larger answers of tools are not relayed.");

        if (options.MaxReplicaLosses < 1)
            failures.Add($"RelayOptions.MaxReplicaLosses is {options.MaxReplicaLosses}; set it to 1 (nothing is sent again) or more.");

        return failures.Count > 0 ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;
    }
}
