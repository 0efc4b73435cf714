using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Mcp.HighAvailability.Relay.Upstream;

/// <summary>Writes the head of an HTTP/1.1 request into a pooled buffer.</summary>
/// <remarks>Invariant: no name, value or target that was added ends a line. What contains a line end or NUL is left out.</remarks>
internal struct RequestHead
{
    private const int InitialBytes = 2048;

    private static readonly SearchValues<char> EndsLine = SearchValues.Create("\r\n\0");
    private static readonly SearchValues<char> InTarget = SearchValues.Create([.. Enumerable.Range('!', '~' - '!' + 1).Select(static code => (char)code)]);

    private byte[]? _buffer;
    private int _length;

    /// <summary>Bytes written so far.</summary>
    public readonly ReadOnlyMemory<byte> Written => _buffer.AsMemory(0, _length);

    /// <summary>Begins a request.</summary>
    public void Begin(string method, string pathAndQuery, string host)
    {
        _length = 0;
        Write(method);
        Write(" "u8);
        if (!pathAndQuery.StartsWith('/'))
            Write("/"u8);
        WriteTarget(pathAndQuery);
        Write(" HTTP/1.1\r\n"u8);
        Add("Host", host);
    }

    /// <summary>Adds a header.</summary>
    public void Add(string name, string value)
    {
        if (name.Length == 0 || name.AsSpan().ContainsAny(EndsLine) || value.AsSpan().ContainsAny(EndsLine))
            return;
        Write(name);
        Write(": "u8);
        Write(value);
        Write("\r\n"u8);
    }

    /// <summary>Ends the head.</summary>
    /// <param name="bodyLength">Length of the body; <see langword="null"/>: the request has none.</param>
    public void End(int? bodyLength)
    {
        if (bodyLength is { } length)
        {
            Write("Content-Length: "u8);
            Reserve(10);
            length.TryFormat(_buffer.AsSpan(_length), out var written, default, CultureInfo.InvariantCulture);
            _length += written;
            Write("\r\n"u8);
        }

        Write("\r\n"u8);
    }

    /// <summary>Adds bytes behind the head.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        Reserve(bytes.Length);
        bytes.CopyTo(_buffer.AsSpan(_length));
        _length += bytes.Length;
    }

    /// <summary>Returns the buffer to its pool.</summary>
    public void Release()
    {
        if (_buffer is not null)
            ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, _length) = (null, 0);
    }

    private void Write(string text)
    {
        Reserve(Encoding.UTF8.GetMaxByteCount(text.Length));
        _length += Encoding.UTF8.GetBytes(text, _buffer.AsSpan(_length));
    }

    // A target consists of visible ASCII alone.
    private void WriteTarget(string target)
    {
        if (!target.AsSpan().ContainsAnyExcept(InTarget))
        {
            Write(target);
            return;
        }

        foreach (var octet in Encoding.UTF8.GetBytes(target))
        {
            if (octet is > (byte)' ' and <= (byte)'~')
                Write([octet]);
            else
                Write(string.Create(CultureInfo.InvariantCulture, $"%{octet:X2}"));
        }
    }

    [MemberNotNull(nameof(_buffer))]
    private void Reserve(int bytes)
    {
        if (_buffer is null)
        {
            _buffer = ArrayPool<byte>.Shared.Rent(Math.Max(InitialBytes, bytes));
            return;
        }

        if (_buffer.Length - _length >= bytes)
            return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_buffer.Length * 2, _length + bytes));
        _buffer.AsSpan(0, _length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
