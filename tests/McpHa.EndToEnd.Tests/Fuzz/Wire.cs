using System.Text;

namespace McpHa.Tests.Fuzz;

/// <summary>Writes requests as bytes, right or wrong.</summary>
internal static class Wire
{
    public const string Accept = "Accept: application/json, text/event-stream";
    public const string Json = "Content-Type: application/json";

    public static byte[] Post(byte[] body, params string[] headers) =>
        Request("POST", [Accept, Json, $"Content-Length: {body.Length}", .. headers], body);

    /// <summary>As above, by HTTP+SSE.</summary>
    public static byte[] PostTo(string address, string body) =>
        Request("POST", [Accept, Json, $"Content-Length: {Encoding.UTF8.GetByteCount(body)}"], Encoding.UTF8.GetBytes(body), address);

    public static byte[] Post(string body, params string[] headers) => Post(Encoding.UTF8.GetBytes(body), headers);

    public static byte[] Request(string method, IEnumerable<string> headers, byte[]? body = null, string path = "/mcp") =>
        [.. Encoding.Latin1.GetBytes($"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{string.Concat(headers.Select(h => h + "\r\n"))}\r\n"), .. body ?? []];

    public static string Session(string id) => "Mcp-Session-Id: " + id;

    public static string Call(string id, string tool = "echo", string arguments = """{"text":"x"}""") =>
        $$$"""{"jsonrpc":"2.0","id":{{{id}}},"method":"tools/call","params":{"name":"{{{tool}}}","arguments":{{{arguments}}}}}""";
}
