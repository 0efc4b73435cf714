using System.Buffers;
using System.Security.Cryptography;

namespace Mcp.HighAvailability.Affinity;

/// <summary>Session ids: the first owner's <see cref="AffinityHint"/>, a dash, and 128 random bits.</summary>
/// <remarks>Only <c>[A-Za-z0-9-]</c>: gateways are known to drop ids with an underscore or a dot.</remarks>
public static class SessionIds
{
    /// <summary>Longest session id that is looked at; longer ones are no session's.</summary>
    public const int MaxLength = 128;

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");

    private static readonly SearchValues<char> HintCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789");

    /// <summary>Makes a new id, unguessable, for a session that starts on a replica.</summary>
    public static string New(string replicaId) =>
        string.Concat(AffinityHint.Of(replicaId), "-", RandomNumberGenerator.GetHexString(32, lowercase: true));

    /// <summary>The hint in a session id; <see langword="null"/> when it has none.</summary>
    public static string? HintOf(string? sessionId) =>
        IsWellFormed(sessionId) && sessionId!.Length > AffinityHint.Length && sessionId[AffinityHint.Length] == '-'
        && !sessionId.AsSpan(0, AffinityHint.Length).ContainsAnyExcept(HintCharacters)
            ? sessionId[..AffinityHint.Length]
            : null;

    /// <summary>Whether a string can be a session id at all: 1 to 128 characters of <c>[A-Za-z0-9-]</c>.</summary>
    public static bool IsWellFormed(string? sessionId) =>
        sessionId is { Length: > 0 and <= MaxLength } && !sessionId.AsSpan().ContainsAnyExcept(Allowed);
}
