using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Protocol;

/// <summary>Names one HTTP exchange of a client, however often relays and load balancers send it; see <see cref="HaHeaders.Exchange"/>.</summary>
/// <param name="Value">128 bits. 32 hex digits in a header are these bits; any other text is hashed.</param>
internal readonly record struct ExchangeId(UInt128 Value)
{
    /// <summary>Bytes that <see cref="Write"/> writes.</summary>
    public const int Size = 16;

    /// <summary>Least characters of the header: a counter is too easily repeated by another process.</summary>
    public const int MinLength = 16;

    /// <summary>Most characters of the header.</summary>
    public const int MaxLength = 128;

    private static readonly SearchValues<char> Allowed = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:+/=");

    /// <summary>An id that no other exchange has. It is unique and not a secret: an id has a meaning only within its session.</summary>
    public static ExchangeId New()
    {
        Span<byte> bytes = stackalloc byte[Size];
        Random.Shared.NextBytes(bytes);
        return Read(bytes);
    }

    /// <summary>Reads the header. <see langword="false"/>: it is missing, sent more than once, or not well-formed.</summary>
    public static bool TryRead(IHeaderDictionary headers, out ExchangeId id)
    {
        id = default;
        return headers[HaHeaders.Exchange] is [{ } text] && TryParse(text, out id);
    }

    /// <summary>Reads an id as a relay or a load balancer writes it.</summary>
    public static bool TryParse(string text, out ExchangeId id)
    {
        id = default;
        if (text.Length is < MinLength or > MaxLength || text.AsSpan().ContainsAnyExcept(Allowed))
            return false;
        if (text.Length == 2 * Size && UInt128.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
        {
            id = new(value);
            return true;
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.ASCII.GetBytes(text), hash);
        id = Read(hash);
        return true;
    }

    public static ExchangeId Read(ReadOnlySpan<byte> bytes) => new(BinaryPrimitives.ReadUInt128BigEndian(bytes));

    public void Write(Span<byte> bytes) => BinaryPrimitives.WriteUInt128BigEndian(bytes, Value);

    public override string ToString() => Value.ToString("x32", CultureInfo.InvariantCulture);
}
