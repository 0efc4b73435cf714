using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Storage;

/// <summary>Checks at start that sessions live long enough to be used.</summary>
internal sealed class SessionStoreOptionsValidator : IValidateOptions<SessionStoreOptions>
{
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);

    public ValidateOptionsResult Validate(string? name, SessionStoreOptions options)
    {
        List<string> errors = [];
        AtLeast(options.IdleTimeout, nameof(options.IdleTimeout), "02:00:00");
        AtLeast(options.UnusedTimeout, nameof(options.UnusedTimeout), "00:10:00");
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);

        void AtLeast(TimeSpan value, string property, string example)
        {
            if (value < Shortest)
                errors.Add($"HighAvailability:Sessions:{property} is {value}; set it to {Shortest} or more, for example {example}.");
        }
    }
}
