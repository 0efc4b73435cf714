using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Mcp.HighAvailability.Cluster;

/// <summary>One datagram between <see cref="PingSocket"/>s: a question or its answer, 64 bytes each.</summary>
/// <remarks>
/// <para>Layout: <c>MHA1</c>, kind, flags, 2 bytes zero, 8 bytes of the sender's token, 8 bytes of the sender's clock, 8 bytes that name the replica, and an
/// HMAC-SHA256 of all that. The key is <see cref="Storage.ReplicaInfo.HopKey"/> of the replica that is asked, so only readers of the registry can ask, and
/// only the replica itself can answer. An answer repeats token and clock.</para>
/// </remarks>
/// <param name="Kind">What it is.</param>
/// <param name="Token">Random number of the process that asks.</param>
/// <param name="Clock">When it asked, by its own clock.</param>
/// <param name="Target">Names the replica, see <see cref="TargetOf"/>.</param>
/// <param name="Starved">Answer: the thread pool of the replica is late.</param>
/// <param name="StoreAway">Answer: the replica cannot reach the store.</param>
internal readonly record struct PingMessage(PingKind Kind, ulong Token, long Clock, ulong Target, bool Starved = false, bool StoreAway = false)
{
    /// <summary>Bytes of a message.</summary>
    public const int Length = 64;

    private const int SignedLength = 32;
    private const byte StarvedFlag = 1;
    private const byte StoreAwayFlag = 2;

    private static ReadOnlySpan<byte> Magic => "MHA1"u8;

    /// <summary>The number by which messages name a replica.</summary>
    public static ulong TargetOf(string replicaId) => BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(replicaId)));

    /// <summary>The key of a replica's messages.</summary>
    public static byte[] KeyOf(string hopKey) => Encoding.UTF8.GetBytes(hopKey);

    /// <summary>Writes the message.</summary>
    public void Write(Span<byte> datagram, ReadOnlySpan<byte> key)
    {
        datagram[..SignedLength].Clear();
        Magic.CopyTo(datagram);
        datagram[4] = (byte)Kind;
        datagram[5] = (byte)((Starved ? StarvedFlag : 0) | (StoreAway ? StoreAwayFlag : 0));
        BinaryPrimitives.WriteUInt64BigEndian(datagram[8..], Token);
        BinaryPrimitives.WriteInt64BigEndian(datagram[16..], Clock);
        BinaryPrimitives.WriteUInt64BigEndian(datagram[24..], Target);
        HMACSHA256.HashData(key, datagram[..SignedLength], datagram[SignedLength..]);
    }

    /// <summary>Reads a datagram without believing it; <see langword="null"/>: it is no message.</summary>
    public static PingMessage? Read(ReadOnlySpan<byte> datagram)
    {
        if (datagram.Length != Length || !datagram.StartsWith(Magic) || datagram[4] is not ((byte)PingKind.Question or (byte)PingKind.Answer))
            return null;
        return new(
            (PingKind)datagram[4],
            BinaryPrimitives.ReadUInt64BigEndian(datagram[8..]),
            BinaryPrimitives.ReadInt64BigEndian(datagram[16..]),
            BinaryPrimitives.ReadUInt64BigEndian(datagram[24..]),
            (datagram[5] & StarvedFlag) != 0,
            (datagram[5] & StoreAwayFlag) != 0);
    }

    /// <summary>Whether a datagram was written with a key.</summary>
    public static bool IsSigned(ReadOnlySpan<byte> datagram, ReadOnlySpan<byte> key)
    {
        Span<byte> signature = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, datagram[..SignedLength], signature);
        return CryptographicOperations.FixedTimeEquals(signature, datagram[SignedLength..]);
    }
}

/// <summary>Kinds of <see cref="PingMessage"/>.</summary>
internal enum PingKind : byte
{
    /// <summary>Asks whether the process is there.</summary>
    Question = 1,

    /// <summary>The process is there.</summary>
    Answer = 2,
}
