using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Cluster;

/// <summary>How replicas watch each other.</summary>
public sealed class ClusterOptions
{
    /// <summary>Time between two heartbeats of a replica, and between two readings of the registry. Default: 1 second.</summary>
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>A replica that was silent for this long is given up. The same on all replicas and balancers. Default: 3 seconds.</summary>
    public TimeSpan Overdue { get; set; } = TimeSpan.FromSeconds(3);

    internal const int MaxApplicationLength = 64;

    /// <summary>The application that this process belongs to, see <see cref="HighAvailabilityOptions.Application"/>. Empty: replicas of every one are accepted.</summary>
    internal string Application { get; set; } = "";

    /// <summary>How long a replica that is asked directly may take to answer: with the wait for the next question it is overdue then, too.</summary>
    internal TimeSpan ProbePatience => Overdue - HeartbeatInterval;
}

internal sealed class ClusterOptionsValidator : IValidateOptions<ClusterOptions>
{
    public ValidateOptionsResult Validate(string? name, ClusterOptions options)
    {
        List<string> failures = [];
        if (!ApplicationName.IsValid(options.Application))
        {
            failures.Add($"HighAvailability:Application is '{options.Application}'; use at most {ClusterOptions.MaxApplicationLength} characters of [A-Za-z0-9._-], "
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

        return failures.Count > 0 ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;
    }
}
