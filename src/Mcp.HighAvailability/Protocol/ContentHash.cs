using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Mcp.HighAvailability.Protocol;

/// <summary>128 bits that stand for a content: equal contents have equal hashes.</summary>
internal readonly record struct ContentHash(UInt128 Value)
{
    public static ContentHash Of(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(content, hash);
        return new(BinaryPrimitives.ReadUInt128BigEndian(hash));
    }

    public override string ToString() => Value.ToString("x32", System.Globalization.CultureInfo.InvariantCulture);
}
