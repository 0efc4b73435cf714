using System.Buffers;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Mcp.HighAvailability.Relay.Upstream;

/// <summary>Result of reading the head of a response.</summary>
internal enum HeadReading
{
    /// <summary>More bytes have to arrive.</summary>
    Incomplete,

    /// <summary>The head was read.</summary>
    Whole,

    /// <summary>The bytes are not the head of a response that a replica sends.</summary>
    Malformed,
}

/// <summary>Reads heads of HTTP/1.1 responses, one after the other, on one connection.</summary>
/// <remarks>
/// Strict, so that it never sees another end of a response than any other reader: lines end in CRLF and are not folded, no space precedes a colon, there
/// is at most one <c>Content-Length</c>, and never one beside <c>Transfer-Encoding</c>, which is <c>chunked</c> and nothing else. Strings are those
/// of the head before
/// where they are equal.
/// </remarks>
internal sealed class ResponseHead
{
    /// <summary>Most bytes of a head.</summary>
    public const int MaxBytes = 64 * 1024;

    /// <summary>Most header fields of a head.</summary>
    public const int MaxFields = 128;

    private static readonly SearchValues<byte> Token = SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);
    private static readonly SearchValues<byte> Control =
        SearchValues.Create([.. Enumerable.Range(0, 32).Where(static code => code != '\t').Select(static code => (byte)code), 127]);

    private (string Name, string Value)[] _fields = new (string, string)[8];
    private int _known; // fields of this head and of heads before
    private int _count;

    /// <summary>Status code.</summary>
    public int Status { get; private set; }

    /// <summary>Value of <c>Content-Length</c>; <see langword="null"/>: there is none.</summary>
    public long? ContentLength { get; private set; }

    /// <summary>The body is chunked.</summary>
    public bool IsChunked { get; private set; }

    /// <summary>The connection takes another request after this response.</summary>
    public bool KeepsConnection { get; private set; }

    /// <summary>Reads a head.</summary>
    /// <param name="bytes">What has arrived.</param>
    /// <param name="length">Length of the head in bytes.</param>
    public HeadReading TryRead(ReadOnlySpan<byte> bytes, out int length)
    {
        length = bytes.IndexOf("\r\n\r\n"u8) + 4;
        if (length > MaxBytes || (length < 4 && bytes.Length >= MaxBytes))
            return HeadReading.Malformed;
        if (length < 4)
            return HeadReading.Incomplete;

        var lines = bytes[..(length - 2)];
        var end = lines.IndexOf("\r\n"u8);
        if (!ReadStatus(lines[..end]))
            return HeadReading.Malformed;
        (_count, ContentLength, IsChunked) = (0, null, false);
        for (lines = lines[(end + 2)..]; !lines.IsEmpty; lines = lines[(end + 2)..])
        {
            end = lines.IndexOf("\r\n"u8);
            if (!ReadField(lines[..end]))
                return HeadReading.Malformed;
        }

        return ContentLength is not null && IsChunked ? HeadReading.Malformed : HeadReading.Whole;
    }

    /// <summary>First value of a header; <see langword="null"/>: there is none.</summary>
    public string? Find(string name)
    {
        foreach (var field in _fields.AsSpan(0, _count))
        {
            if (field.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
                return field.Value;
        }

        return null;
    }

    /// <summary>Copies the headers that cross a relay.</summary>
    public void CopyTo(IHeaderDictionary to)
    {
        var named = Find("Connection");
        for (var i = 0; i < _count; i++)
        {
            var (name, value) = _fields[i];
            if (!RelayHeaders.CrossesToClient(name) || !Ascii.IsValid(value) || RelayHeaders.IsNamedBy(named, name))
                continue;
            to[name] = IsRepeated(i) ? StringValues.Concat(to[name], value) : value;
        }
    }

    private bool IsRepeated(int field)
    {
        for (var i = 0; i < field; i++)
        {
            if (_fields[i].Name.Equals(_fields[field].Name, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }

    // HTTP/1.1 200 OK
    private bool ReadStatus(ReadOnlySpan<byte> line)
    {
        if (line.Length < 12 || !line.StartsWith("HTTP/1."u8) || line[7] is not ((byte)'0' or (byte)'1') || line[8] != ' ' || line.ContainsAny(Control) ||
            (line.Length > 12 && line[12] != ' ') || !int.TryParse(line[9..12], NumberStyles.None, CultureInfo.InvariantCulture, out var status) ||
                status < 100)
            return false;
        Status = status;
        KeepsConnection = line[7] == '1';
        return true;
    }

    private bool ReadField(ReadOnlySpan<byte> line)
    {
        var colon = line.IndexOf((byte)':');
        if (colon <= 0 || line[..colon].ContainsAnyExcept(Token) || _count == MaxFields)
            return false;
        var value = line[(colon + 1)..].Trim(" \t"u8);
        if (value.ContainsAny(Control))
            return false;
        return Interpret(Keep(line[..colon], value));
    }

    private (string Name, string Value) Keep(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (_count == _fields.Length)
            Array.Resize(ref _fields, _fields.Length * 2);
        (string Name, string Value) before = _count < _known ? _fields[_count] : ("", "");
        _known = Math.Max(_known, _count + 1);
        return _fields[_count++] = (
            Ascii.Equals(name, before.Name) ? before.Name : Encoding.ASCII.GetString(name),
            Ascii.Equals(value, before.Value) ? before.Value : Encoding.Latin1.GetString(value));
    }

    private bool Interpret((string Name, string Value) field)
    {
        if (field.Name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
        {
            if (ContentLength is not null || !long.TryParse(field.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var length))
                return false;
            ContentLength = length;
        }
        else if (field.Name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase))
        {
            if (IsChunked || !field.Value.Equals("chunked", StringComparison.OrdinalIgnoreCase))
                return false;
            IsChunked = true;
        }
        else if (field.Name.Equals("Connection", StringComparison.OrdinalIgnoreCase) && !field.Value.Equals("keep-alive", StringComparison.OrdinalIgnoreCase))
        {
            KeepsConnection = false; // it says 'close', or something that a replica never says
        }

        return true;
    }
}
