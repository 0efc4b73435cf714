namespace Mcp.HighAvailability.Relay.Upstream;

/// <summary>Finds the content and the end of one response body.</summary>
/// <remarks>A body without length that is not chunked would end with its connection; whether it is whole could not be told, so there is none.</remarks>
internal struct ResponseBody
{
    private const int MaxSizeDigits = 8;
    private const int MaxLineBytes = 8 * 1024; // of all extensions of a chunk, or of the trailer

    private Part _part;
    private long _left; // of the content, or of the chunk
    private int _lineBytes;

    private enum Part
    {
        Done,
        Content,
        SizeFirst,
        Size,
        Extension,
        SizeEnd,
        Chunk,
        ChunkCr,
        ChunkLf,
        TrailerFirst,
        Trailer,
        TrailerLf,
        End,
        Malformed,
    }

    /// <summary>The end has been reached.</summary>
    public readonly bool IsDone => _part == Part.Done;

    /// <summary>The bytes are not what a replica sends.</summary>
    public readonly bool IsMalformed => _part == Part.Malformed;

    /// <summary>Bytes that follow and are content, if that is all that follows; 0 otherwise.</summary>
    public readonly long Plain => _part == Part.Content ? _left : 0;

    /// <summary>A response without a body.</summary>
    public static ResponseBody None => default;

    /// <summary>A chunked body.</summary>
    public static ResponseBody Chunked => new() { _part = Part.SizeFirst };

    /// <summary>A body of so many bytes.</summary>
    public static ResponseBody OfLength(long length) => length == 0 ? None : new() { _part = Part.Content, _left = length };

    /// <summary>Takes content out of bytes that have arrived.</summary>
    /// <param name="source">What has arrived.</param>
    /// <param name="destination">Where content goes.</param>
    /// <param name="consumed">Bytes of the source that were used.</param>
    /// <returns>Bytes of content. The call ends when the source or the destination is used up, or with the body.</returns>
    public int Read(ReadOnlySpan<byte> source, Span<byte> destination, out int consumed)
    {
        consumed = 0;
        var written = 0;
        while (consumed < source.Length && _part is not (Part.Done or Part.Malformed))
        {
            if (_part is not (Part.Content or Part.Chunk))
            {
                Frame(source[consumed++]);
                continue;
            }

            var count = (int)Math.Min(_left, Math.Min(source.Length - consumed, destination.Length - written));
            if (count == 0)
                break;
            source.Slice(consumed, count).CopyTo(destination[written..]);
            (consumed, written) = (consumed + count, written + count);
            Received(count);
        }

        return written;
    }

    /// <summary>So many bytes of content were received past <see cref="Read"/>; at most <see cref="Plain"/>.</summary>
    public void Received(int count)
    {
        _left -= count;
        if (_left == 0)
            _part = _part == Part.Content ? Part.Done : Part.ChunkCr;
    }

    private void Frame(byte next) => _part = _part switch
    {
        Part.SizeFirst or Part.Size when DigitOf(next) is { } digit => AddDigit(digit),
        Part.Size when next == '\r' => Part.SizeEnd,
        Part.Size when next is (byte)';' or (byte)' ' or (byte)'\t' => Count(Part.Extension),
        Part.Extension when next == '\r' => Part.SizeEnd,
        Part.Extension when next != '\n' => Count(Part.Extension),
        Part.SizeEnd when next == '\n' => _left == 0 ? Part.TrailerFirst : Part.Chunk,
        Part.ChunkCr when next == '\r' => Part.ChunkLf,
        Part.ChunkLf when next == '\n' => BeginChunk(),
        Part.TrailerFirst when next == '\r' => Part.End,
        Part.TrailerFirst or Part.Trailer when next is not ((byte)'\r' or (byte)'\n') => Count(Part.Trailer),
        Part.Trailer when next == '\r' => Part.TrailerLf,
        Part.TrailerLf when next == '\n' => Part.TrailerFirst,
        Part.End when next == '\n' => Part.Done,
        _ => Part.Malformed,
    };

    private Part BeginChunk()
    {
        (_left, _lineBytes) = (0, 0);
        return Part.SizeFirst;
    }

    private Part AddDigit(int digit)
    {
        _left = (_left * 16) + digit;
        return ++_lineBytes > MaxSizeDigits ? Part.Malformed : Part.Size;
    }

    private Part Count(Part part) => ++_lineBytes > MaxLineBytes ? Part.Malformed : part;

    private static int? DigitOf(byte next) => next switch
    {
        >= (byte)'0' and <= (byte)'9' => next - '0',
        >= (byte)'a' and <= (byte)'f' => next - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => next - 'A' + 10,
        _ => null,
    };
}
