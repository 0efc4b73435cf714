using System.Text;

namespace Mcp.HighAvailability.Affinity;

/// <summary>A 64-bit hash that is the same in every process and on every machine (unlike <see cref="string.GetHashCode()"/>). Not for secrets.</summary>
internal static class StableHash
{
    /// <summary>Hash of one string.</summary>
    public static ulong Of(string text) => Finish(Add(Offset, text));

    /// <summary>Hash of a pair; ("ab", "c") differs from ("a", "bc").</summary>
    public static ulong Of(string first, string second) => Finish(Add((Add(Offset, first) ^ Separator) * Prime, second));

    private const ulong Offset = 14695981039346656037;
    private const ulong Prime = 1099511628211;
    private const ulong Separator = 0xff; // never a byte of UTF-8

    private static ulong Add(ulong hash, string text)
    {
        Span<byte> small = stackalloc byte[256];
        var bytes = text.Length <= 85 ? small : new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        foreach (var b in bytes[..Encoding.UTF8.GetBytes(text, bytes)])
            hash = (hash ^ b) * Prime;

        return hash;
    }

    // FNV-1a leaves the high bits of short inputs nearly equal; rendezvous hashing compares exactly those.
    private static ulong Finish(ulong hash)
    {
        hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
        hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
        return hash ^ (hash >> 31);
    }
}
