using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Cluster;

/// <summary>How replicas watch each other.</summary>
public sealed class ClusterOptions
{
    /// <summary>Time between two heartbeats of a replica, and between two readings of the registry. Default: 500 milliseconds.</summary>
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// A replica is lost when its heartbeat is older than this, or when it has not answered probes for about as long. Use one value on all replicas
    /// and balancers. Default: 3 seconds.
    /// </summary>
    public TimeSpan Overdue { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// A replica is lost when a probe of it is unanswered for this long and its heartbeat is also missing, that is, older than
    /// 1.5 × <see cref="HeartbeatInterval"/>. Default: 500 milliseconds.
    /// </summary>
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromMilliseconds(500);

    internal const int MaxApplicationLength = 64;

    /// <summary>
    /// The application that this process belongs to, see <see cref="HighAvailabilityOptions.Application"/>. Empty: replicas of every one are
    /// accepted.
    /// </summary>
    internal string Application { get; set; } = "";

    /// <summary>Age from which a heartbeat is missing: one interval, and half of one for delays.</summary>
    internal TimeSpan MissingAfter => 1.5 * HeartbeatInterval;

    /// <summary>How long a single question to a replica may take where nothing else is known of it.</summary>
    internal TimeSpan AnswerTimeout => Overdue - HeartbeatInterval;
}

internal sealed class ClusterOptionsValidator : IValidateOptions<ClusterOptions>
{
    public ValidateOptionsResult Validate(string? name, ClusterOptions options)
    {
        List<string> failures = [];
        if (!ApplicationName.IsValid(options.Application))
        {
            failures.Add(
                $"HighAvailability:Application is '{options.Application}'; use at most {ClusterOptions.MaxApplicationLength} characters of [A-Za-z0-9._-], "
                + "the same on servers and balancers.");
        }

        if (options.HeartbeatInterval < TimeSpan.FromMilliseconds(50) || options.HeartbeatInterval > TimeSpan.FromSeconds(15))
        {
            failures.Add($"ClusterOptions.HeartbeatInterval is {options.HeartbeatInterval}; set it between 50 milliseconds and 15 seconds "
                + "(the registry forgets a replica after a minute of silence).");
        }

        if (options.Overdue < 2 * options.HeartbeatInterval || options.Overdue > TimeSpan.FromSeconds(45))
        {
            failures.Add($"ClusterOptions.Overdue is {options.Overdue}; set it to at least twice HeartbeatInterval ({options.HeartbeatInterval}), "
                + "so that one late heartbeat is no failover, and at most to 45 seconds.");
        }

        if (options.ProbeTimeout < TimeSpan.FromMilliseconds(100) || options.ProbeTimeout > options.Overdue)
        {
            failures.Add($"ClusterOptions.ProbeTimeout is {options.ProbeTimeout}; set it between 100 milliseconds and Overdue ({options.Overdue}).");
        }

        return failures.Count > 0 ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;
    }
}
