using System.Buffers.Binary;

namespace McpHa.HighAvailability.Sessions;

/// <summary>A client request as the in-flight table keeps it: what is needed to recognise it and to run it again.</summary>
/// <param name="Key">Duplicate key: hash of the whole request, id included.</param>
/// <param name="Body">The request as it arrived, JSON.</param>
internal readonly record struct InFlightCall(CallKey Key, ReadOnlyMemory<byte> Body)
{
    /// <summary>
    /// Entry of a call that its client has cancelled, the key alone: nothing is left to be sent on its stream, whoever is asked for it, and the
    /// same request, sent again before and still on its way, is not run again.
    /// </summary>
    public static ReadOnlyMemory<byte> Withdrawn(CallKey key)
    {
        var bytes = new byte[CallKey.Size];
        key.Write(bytes);
        return bytes;
    }

    public static bool IsWithdrawn(ReadOnlyMemory<byte> bytes) => bytes.Length == CallKey.Size;

    public byte[] ToBytes()
    {
        var bytes = new byte[CallKey.Size + Body.Length];
        Key.Write(bytes);
        Body.Span.CopyTo(bytes.AsSpan(CallKey.Size));
        return bytes;
    }

    public static InFlightCall Parse(ReadOnlyMemory<byte> bytes) => bytes.Length > CallKey.Size
        ? new(CallKey.Read(bytes.Span), bytes[CallKey.Size..])
        : throw new InvalidDataException("An entry of the in-flight table is cut short.");
}

/// <summary>128 bits that stand for a client request: two requests with the same id and body have the same key.</summary>
internal readonly record struct CallKey(UInt128 Value)
{
    public const int Size = 16;

    public static CallKey Of(ReadOnlySpan<byte> body)
    {
        Span<byte> hash = stackalloc byte[32];
        System.Security.Cryptography.SHA256.HashData(body, hash);
        return Read(hash);
    }

    public static CallKey Read(ReadOnlySpan<byte> bytes) => new(BinaryPrimitives.ReadUInt128BigEndian(bytes));

    public static bool TryParse(string text, out CallKey key)
    {
        var ok = UInt128.TryParse(text, System.Globalization.NumberStyles.HexNumber, null, out var value);
        key = new(value);
        return ok;
    }

    public void Write(Span<byte> bytes) => BinaryPrimitives.WriteUInt128BigEndian(bytes, Value);

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        Write(bytes);
        return Convert.ToHexString(bytes);
    }
}
