using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Redis;

internal sealed class RedisOptionsValidator : IValidateOptions<RedisHighAvailabilityOptions>
{
    public ValidateOptionsResult Validate(string? name, RedisHighAvailabilityOptions options)
    {
        if (options.KeyPrefix is null || options.KeyPrefix.AsSpan().ContainsAny('{', '}'))
            return Fail(nameof(options.KeyPrefix),
                "must not be null or contain braces, which mark the part of a key that Redis Cluster hashes. Use for example 'my-app:'.");
        if (options.CommandTimeout <= TimeSpan.Zero)
            return Fail(nameof(options.CommandTimeout), "must be positive. Use for example 5 seconds.");
        if (options.StartTimeout <= TimeSpan.Zero)
            return Fail(nameof(options.StartTimeout), "must be positive. Use for example 10 seconds.");
        return ValidateOptionsResult.Success;
    }

    private static ValidateOptionsResult Fail(string property, string cure) =>
        ValidateOptionsResult.Fail($"{nameof(RedisHighAvailabilityOptions)}.{property} {cure}");
}
