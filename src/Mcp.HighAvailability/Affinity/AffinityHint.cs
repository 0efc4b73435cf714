namespace Mcp.HighAvailability.Affinity;

/// <summary>The short mark of a replica that session ids start with, so that a balancer which knows nothing else finds the first owner.</summary>
/// <remarks>A hint is only a hint: a stale, forged or colliding one costs one hop.</remarks>
public static class AffinityHint
{
    /// <summary>Characters in a hint, all of <c>[a-z0-9]</c>.</summary>
    public const int Length = 6;

    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

    /// <summary>The hint of a replica; the same in every process.</summary>
    public static string Of(string replicaId)
    {
        ArgumentNullException.ThrowIfNull(replicaId);
        return string.Create(Length, StableHash.Of(replicaId), static (hint, hash) =>
        {
            for (var i = 0; i < hint.Length; i++, hash /= (ulong)Alphabet.Length)
                hint[i] = Alphabet[(int)(hash % (ulong)Alphabet.Length)];
        });
    }
}
