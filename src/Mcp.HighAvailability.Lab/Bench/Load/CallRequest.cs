using System.Buffers.Text;
using System.Text;

namespace Mcp.HighAvailability.Lab.Bench.Load;

/// <summary>The bytes of a <c>tools/call</c> that are built once. Each call writes its number over the previous one.</summary>
internal sealed class CallRequest
{
    private const int Digits = 10;
    private const string Blank = "0000000000";

    private readonly byte[] _bytes;
    private readonly int _id;
    private readonly int _text;

    public CallRequest(Uri endpoint, string sessionId, string tool)
    {
        _bytes = RawSession.Build(
            endpoint, "POST", sessionId,
            $$$$"""{"jsonrpc":"2.0","id":{{{{Blank}}}},"method":"tools/call","params":{"name":"{{{{tool}}}}","arguments":{"text":"hello {{{{Blank}}}}"}}}""");
        _id = _bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes("\"id\":0")) + "\"id\":".Length;
        _text = _bytes.AsSpan().IndexOf("hello "u8) + "hello ".Length;
    }

    /// <summary>The request of a call.</summary>
    /// <param name="number">Its id, of ten digits.</param>
    public ReadOnlySpan<byte> With(long number)
    {
        Utf8Formatter.TryFormat(number, _bytes.AsSpan(_id, Digits), out _);
        Utf8Formatter.TryFormat(number, _bytes.AsSpan(_text, Digits), out _);
        return _bytes;
    }
}
