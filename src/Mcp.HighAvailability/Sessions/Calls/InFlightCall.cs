using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>A client request as the in-flight table keeps it: what is needed to recognise it and to run it again.</summary>
/// <param name="Exchange">The exchange that brought it.</param>
/// <param name="Losses">Owners that it had lost before this entry was written, 255 at most. Those lost afterwards are among
/// <see cref="SessionRecord.Hops"/>.</param>
/// <param name="Body">The request as it arrived, JSON.</param>
internal readonly record struct InFlightCall(ExchangeId Exchange, byte Losses, ReadOnlyMemory<byte> Body)
{
    // Form of an entry: its kind, the losses, the exchange, then the body or the exchange of the cancellation.
    private const byte OpenKind = 1;
    private const byte WithdrawnKind = 2;
    private const int ExchangeAt = 2;
    private const int HeadSize = ExchangeAt + ExchangeId.Size;
    private const int WithdrawnSize = HeadSize + ExchangeId.Size;

    /// <summary>
    /// Entry of a call that its client has cancelled: its stream has nothing left to send. The next owner recognises a repetition of the
    /// call, which it does not run, and one of the cancellation, which ends no other call.
    /// </summary>
    public static ReadOnlyMemory<byte> Withdrawn(ExchangeId call, ExchangeId cancellation)
    {
        var bytes = new byte[WithdrawnSize];
        bytes[0] = WithdrawnKind;
        call.Write(bytes.AsSpan(ExchangeAt));
        cancellation.Write(bytes.AsSpan(HeadSize));
        return bytes;
    }

    public static bool IsWithdrawn(ReadOnlyMemory<byte> bytes) => bytes.Length == WithdrawnSize && bytes.Span[0] == WithdrawnKind;

    /// <summary>Reads an entry for which <see cref="IsWithdrawn"/> holds.</summary>
    public static (ExchangeId Call, ExchangeId Cancellation) ReadWithdrawn(ReadOnlyMemory<byte> bytes) =>
        (ExchangeId.Read(bytes.Span[ExchangeAt..]), ExchangeId.Read(bytes.Span[HeadSize..]));

    public byte[] ToBytes()
    {
        var bytes = new byte[HeadSize + Body.Length];
        (bytes[0], bytes[1]) = (OpenKind, Losses);
        Exchange.Write(bytes.AsSpan(ExchangeAt));
        Body.Span.CopyTo(bytes.AsSpan(HeadSize));
        return bytes;
    }

    public static InFlightCall Parse(ReadOnlyMemory<byte> bytes) => bytes.Length > HeadSize && bytes.Span[0] == OpenKind
        ? new(ExchangeId.Read(bytes.Span[ExchangeAt..]), bytes.Span[1], bytes[HeadSize..])
        : throw new InvalidDataException("An entry of the in-flight table is cut short or of an unknown kind.");
}
