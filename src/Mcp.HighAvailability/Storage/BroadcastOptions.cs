using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Storage;

/// <summary>How much of the broadcast log is kept. The same on all replicas.</summary>
/// <remarks>A session that comes back within these bounds gets every broadcast; otherwise it is told that there is a gap.</remarks>
public sealed class BroadcastOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string SectionName = HighAvailabilityOptions.SectionName + ":Broadcasts";

    /// <summary>Most broadcasts kept; the oldest go first. Every replica has them in memory. Default: 1,000.</summary>
    public int MaxEntries { get; set; } = 1_000;

    /// <summary>Most bytes kept; the oldest go first. The newest broadcast always stays. Default: 4 MiB.</summary>
    public long MaxBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>Broadcasts older than this are removed with the next one; the newest always stays. Default: 1 hour.</summary>
    public TimeSpan MaxAge { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Most bytes of one broadcast. A larger one is refused with an <see cref="ArgumentException"/>. Default: 256 KiB.</summary>
    public int MaxPayload { get; set; } = 256 * 1024;

    /// <summary>How often a replica looks for broadcasts that were not pushed to it. Default: 1 second.</summary>
    public TimeSpan ReadInterval { get; set; } = TimeSpan.FromSeconds(1);
}

internal sealed class BroadcastOptionsValidator : IValidateOptions<BroadcastOptions>
{
    public ValidateOptionsResult Validate(string? name, BroadcastOptions options)
    {
        List<string> errors = [];
        if (options.MaxEntries < 1)
            errors.Add($"{BroadcastOptions.SectionName}:MaxEntries is {options.MaxEntries}; set it to 1 or more, for example 1000.");
        if (options.MaxPayload < 1_024)
            errors.Add($"{BroadcastOptions.SectionName}:MaxPayload is {options.MaxPayload}; set it to 1024 or more, for example 262144.");
        if (options.MaxBytes < options.MaxPayload)
            errors.Add(
                $"{BroadcastOptions.SectionName}:MaxBytes is {options.MaxBytes}; set it to MaxPayload ({options.MaxPayload}) or more, for example 4194304.");
        if (options.MaxAge < TimeSpan.FromSeconds(1))
            errors.Add($"{BroadcastOptions.SectionName}:MaxAge is {options.MaxAge}; set it to 1 second or more, for example 01:00:00.");
        if (options.ReadInterval < TimeSpan.FromMilliseconds(50) || options.ReadInterval > TimeSpan.FromMinutes(1))
            errors.Add(
                $"{BroadcastOptions.SectionName}:ReadInterval is {options.ReadInterval}; set it between 50 milliseconds and 1 minute, for example 00:00:01.");
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
