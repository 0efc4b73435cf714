using Mcp.HighAvailability.Security;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability;

/// <summary>Checks the options at start; every message names the property and the cure.</summary>
internal sealed class HighAvailabilityOptionsValidator : IValidateOptions<HighAvailabilityOptions>
{
    public ValidateOptionsResult Validate(string? name, HighAvailabilityOptions options)
    {
        List<string> errors = [];
        if (options.ReplicaId is { } id && (id.Length is 0 or > 64 || id.Any(c => !char.IsAsciiLetterOrDigit(c) && c != '-')))
            errors.Add("HighAvailability:ReplicaId must be 1 to 64 characters of [A-Za-z0-9-]; leave it out to have one generated.");
        if (options.AdvertisedAddress is { } address &&
            (!address.IsAbsoluteUri || address.Scheme is not ("http" or "https") || address.PathAndQuery is not ("/" or "")))
            errors.Add("HighAvailability:AdvertisedAddress must be an absolute http or https address without a path, such as http://10.0.0.7:8080; leave " +
                "it out to use what the server is bound to.");
        if (!Enum.IsDefined(options.SessionMode))
            errors.Add("HighAvailability:SessionMode must be Hybrid, Stateful or Stateless.");
        if (options.EnableLegacySse && options.SessionMode == SessionMode.Stateless)
            errors.Add("HighAvailability:EnableLegacySse needs sessions; leave it out, or set SessionMode to Hybrid or Stateful.");
        if (!Enum.IsDefined(options.Durability))
            errors.Add("HighAvailability:Durability must be Durable or Fast.");

        if (HostRule.Split(options.AllowedHosts).Any(h => h.Contains('/', StringComparison.Ordinal) || h.Contains(':', StringComparison.Ordinal)))
            errors.Add(
                "HighAvailability:AllowedHosts must be host names without scheme and port, separated by semicolons, such as mcp.example.com;*.example.org.");
        if (!HostRule.Split(options.AllowedOrigins).All(OriginRule.IsWellFormed))
            errors.Add("HighAvailability:AllowedOrigins must be origins without a path, separated by semicolons, such as " +
                "https://app.example.com;http://10.0.0.7:8080.");

        Between(options.DurableTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1), nameof(options.DurableTimeout), "00:00:05");
        Between(options.DrainTimeout, TimeSpan.Zero, TimeSpan.FromHours(1), nameof(options.DrainTimeout), "00:00:30");
        Between(options.KeepAlive, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5), nameof(options.KeepAlive), "00:00:05");
        Between(options.HoldTime, TimeSpan.Zero, TimeSpan.FromMinutes(10), nameof(options.HoldTime), "00:00:30");
        Between(options.RequestStateLifetime, TimeSpan.FromSeconds(1), TimeSpan.FromDays(7), nameof(options.RequestStateLifetime), "01:00:00");
        AtLeast(options.MaxTakeOvers ?? 1, 1, nameof(options.MaxTakeOvers), 16);
        AtLeast(options.PendingEntries, 1, nameof(options.PendingEntries), 1_000);
        AtLeast(options.MaxRequestBodySize, 1_024, nameof(options.MaxRequestBodySize), 4 * 1024 * 1024);
        AtLeast(options.RememberedCalls, 0, nameof(options.RememberedCalls), 1_000);
        AtLeast(options.MaxReplicaLosses, 1, nameof(options.MaxReplicaLosses), 2);
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);

        void Between(TimeSpan value, TimeSpan low, TimeSpan high, string property, string example)
        {
            if (value < low || value > high)
                errors.Add($"HighAvailability:{property} is {value}; set it between {low} and {high}, for example {example}.");
        }

        void AtLeast(int value, int low, string property, int example)
        {
            if (value < low)
                errors.Add($"HighAvailability:{property} is {value}; set it to {low} or more, for example {example}.");
        }
    }
}
