using System.Buffers;

namespace Mcp.HighAvailability.Storage;

/// <summary>Something to append to the broadcast log.</summary>
public sealed record BroadcastPublication
{
    private const int MaxKindLength = 64;
    private const int MaxIdLength = 128;
    private static readonly SearchValues<char> Allowed = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/+=");

    /// <summary>Kind, by which readers choose: 1 to 64 characters of <c>[A-Za-z0-9-_.:/+=]</c>. See <see cref="BroadcastKinds"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>
    /// Names the publication: 1 to 128 characters of <c>[A-Za-z0-9-_.:/+=]</c>. The log takes an id once within its retention, so a publication may be
    /// repeated.
    /// </summary>
    public required string Id { get; init; }

    /// <summary>The content. It may be kept: do not change or reuse the memory.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>Checks kind, id and size.</summary>
    /// <exception cref="ArgumentException">One of them is not allowed.</exception>
    internal void Validate(BroadcastOptions options)
    {
        if (Kind.Length is 0 or > MaxKindLength || Kind.AsSpan().ContainsAnyExcept(Allowed))
            throw new ArgumentException($"Broadcast kind '{Kind}' is not allowed. Use 1 to {MaxKindLength} characters of [A-Za-z0-9-_.:/+=].");
        if (Id.Length is 0 or > MaxIdLength || Id.AsSpan().ContainsAnyExcept(Allowed))
            throw new ArgumentException($"Broadcast id '{Id}' is not allowed. Use 1 to {MaxIdLength} characters of [A-Za-z0-9-_.:/+=].");
        if (Payload.Length > options.MaxPayload)
        {
            throw new ArgumentException(
                $"The broadcast has {Payload.Length} bytes; at most {options.MaxPayload} are allowed. Send less, or raise " +
                    $"{BroadcastOptions.SectionName}:MaxPayload on every replica.");
        }
    }
}

/// <summary>Kinds of broadcasts that the library publishes.</summary>
public static class BroadcastKinds
{
    /// <summary>A notification to sessions and listen streams, as JSON-RPC.</summary>
    public const string Notification = "mcp";

    /// <summary>A <c>notifications/tasks</c> to the listen streams that asked for its task id, as JSON-RPC.</summary>
    public const string Task = "task";

    /// <summary>Prefix of application events; the event's name follows.</summary>
    public const string Event = "event:";
}
