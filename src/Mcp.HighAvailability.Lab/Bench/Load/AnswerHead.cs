using System.Buffers.Text;
using System.Text;

namespace Mcp.HighAvailability.Lab.Bench.Load;

/// <summary>The head of an HTTP/1.1 answer, as far as a measurement needs it.</summary>
/// <param name="Status">The status code.</param>
/// <param name="Length">Bytes of the body; -1: it comes in chunks.</param>
/// <param name="Closes">Whether the server closes the connection after it: nginx does, every thousand requests.</param>
internal readonly record struct AnswerHead(int Status, long Length, bool Closes)
{
    /// <summary>Parses the head once all of it is there.</summary>
    /// <exception cref="InvalidDataException">It is no HTTP/1.1.</exception>
    public static bool TryParse(ReadOnlySpan<byte> answer, out AnswerHead head, out int length)
    {
        (head, length) = (default, answer.IndexOf("\r\n\r\n"u8) + 4);
        if (length < 4)
        {
            length = 0;
            return false;
        }

        if (!answer.StartsWith("HTTP/1.1 "u8) || !Utf8Parser.TryParse(answer[9..], out int status, out _))
            throw new InvalidDataException("The answer is no HTTP/1.1.");
        long body = 0;
        var closes = false;
        for (var lines = answer[..length]; lines.Length > 2; lines = lines[(lines.IndexOf("\r\n"u8) + 2)..])
        {
            if (Starts(lines, "content-length: "u8))
                _ = Utf8Parser.TryParse(lines["content-length: ".Length..], out body, out _);
            else if (Starts(lines, "transfer-encoding: chunked"u8))
                body = -1;
            else if (Starts(lines, "connection: close"u8))
                closes = true;
        }

        head = new(status, body, closes);
        return true;
    }

    /// <summary>Whether a body is complete. Nothing may follow it, so requests must not be pipelined.</summary>
    public bool IsComplete(ReadOnlySpan<byte> body) =>
        Length < 0 ? body.EndsWith("\r\n0\r\n\r\n"u8) || body.SequenceEqual("0\r\n\r\n"u8) : body.Length >= Length;

    private static bool Starts(ReadOnlySpan<byte> line, ReadOnlySpan<byte> name) =>
        line.Length >= name.Length && Ascii.EqualsIgnoreCase(line[..name.Length], name);
}
