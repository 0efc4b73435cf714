using Microsoft.Extensions.Options;

namespace McpHa.Balancer.Routing;

/// <summary>Settings of the balancer. Bound from the configuration section <c>Balancer</c>.</summary>
public sealed class BalancerOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string SectionName = "Balancer";

    /// <summary>Largest request body in bytes; larger ones are answered with 413. Default: 4 MiB.</summary>
    public int MaxRequestBodySize { get; set; } = 4 * 1024 * 1024;

    /// <summary>How long a request is held while no replica can serve it. Default: 30 seconds.</summary>
    public TimeSpan HoldTime { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Most bytes of request bodies that are held at the same time; beyond it requests are refused with 503. Default: 64 MiB.</summary>
    public long MaxHeldBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>Sessions whose owner is remembered. A forgotten one costs a hop between replicas. Default: 100,000.</summary>
    public int CachedOwners { get; set; } = 100_000;
}

internal sealed class BalancerOptionsValidator : IValidateOptions<BalancerOptions>
{
    public ValidateOptionsResult Validate(string? name, BalancerOptions options)
    {
        List<string> failures = [];
        if (options.MaxRequestBodySize is < 1024 or > 1024 * 1024 * 1024)
            failures.Add($"Balancer:MaxRequestBodySize is {options.MaxRequestBodySize}; set it between 1024 (1 KiB) and 1073741824 (1 GiB).");
        if (options.HoldTime < TimeSpan.Zero || options.HoldTime > TimeSpan.FromHours(1))
            failures.Add($"Balancer:HoldTime is {options.HoldTime}; set it between zero (no failover is waited for) and one hour, e.g. 00:00:30.");
        if (options.MaxHeldBytes < options.MaxRequestBodySize)
            failures.Add($"Balancer:MaxHeldBytes is {options.MaxHeldBytes}; set it to Balancer:MaxRequestBodySize ({options.MaxRequestBodySize}) or more, or the largest requests can never be held.");
        if (options.CachedOwners < 2)
            failures.Add($"Balancer:CachedOwners is {options.CachedOwners}; set it to 2 or more, best to the number of sessions that are used at the same time.");

        return failures.Count > 0 ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;
    }
}
