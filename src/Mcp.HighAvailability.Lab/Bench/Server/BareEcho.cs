using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Lab.Bench.Server;

/// <summary>An echo as Kestrel does it with nothing of MCP around: JSON in, the JSON of a tool's answer out. The ceiling.</summary>
internal static class BareEcho
{
    public static async Task PostAsync(HttpContext context)
    {
        var call = await JsonSerializer.DeserializeAsync(context.Request.BodyReader, BareEchoJson.Default.EchoCall, context.RequestAborted);
        var answer = new EchoAnswer(new([new("text", call!.Params.Arguments.Text)]), call.Id, "2.0");
        var bytes = JsonSerializer.SerializeToUtf8Bytes(answer, BareEchoJson.Default.EchoAnswer);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = bytes.Length;
        await context.Response.BodyWriter.WriteAsync(bytes);
    }
}

internal sealed record EchoCall(long Id, EchoCallParams Params);

internal sealed record EchoCallParams(EchoArguments Arguments);

internal sealed record EchoArguments(string Text);

internal sealed record EchoAnswer(EchoResult Result, long Id, string Jsonrpc);

internal sealed record EchoResult(EchoContent[] Content);

internal sealed record EchoContent(string Type, string Text);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(EchoCall))]
[JsonSerializable(typeof(EchoAnswer))]
internal sealed partial class BareEchoJson : JsonSerializerContext;
