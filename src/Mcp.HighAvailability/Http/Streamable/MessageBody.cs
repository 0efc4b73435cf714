using System.Buffers;
using System.Text.Json;
using Mcp.HighAvailability.Protocol;
using Microsoft.AspNetCore.Http;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Http;

/// <summary>The JSON-RPC message that a POST carries.</summary>
internal static class MessageBody
{
    /// <summary>Reads the body; <see langword="null"/>: it was refused.</summary>
    public static async ValueTask<byte[]?> ReadAsync(HttpContext context, RequestBodies bodies, int limit)
    {
        // Browsers send other types across origins without asking first.
        if (!context.Request.HasJsonContentType())
        {
            await HttpAnswers.ErrorAsync(
                context, StatusCodes.Status415UnsupportedMediaType, JsonRpc.BadRequest,
                    "Unsupported Media Type: send the header 'Content-Type: application/json'.").ConfigureAwait(false);
            return null;
        }

        var encoding = context.Request.Headers.ContentEncoding.ToString();
        if (encoding.Length > 0 && !encoding.Equals("identity", StringComparison.OrdinalIgnoreCase))
        {
            context.Response.Headers.AcceptEncoding = "identity";
            await HttpAnswers.ErrorAsync(
                context, StatusCodes.Status415UnsupportedMediaType, JsonRpc.BadRequest,
                $"Unsupported Media Type: the body is encoded ('{HttpAnswers.Printable(encoding)}'). Send it as it is, without the header 'Content-Encoding'.")
                    .ConfigureAwait(false);
            return null;
        }

        try
        {
            var (outcome, body) = await bodies.ReadAsync(context, limit).ConfigureAwait(false);
            switch (outcome)
            {
                case BodyOutcome.Whole:
                    return body;
                case BodyOutcome.TooLarge:
                    await HttpAnswers.TooLargeAsync(context, limit).ConfigureAwait(false);
                    break;
                case BodyOutcome.OverBudget:
                    await HttpAnswers.FullAsync(context, $"it holds {bodies.Budget.Limit} bytes of request bodies ({bodies.Budget.Setting}).")
                        .ConfigureAwait(false);
                    break;
            }

            return null;
        }
        catch (IOException e)
        {
            await HttpAnswers.UnreadableAsync(context, e).ConfigureAwait(false);
            return null;
        }
    }

    /// <summary>
    /// Reads the message of a body, and the body as it is to be kept: without forms that only some readers know. <see langword="null"/>: it was
    /// refused.
    /// </summary>
    public static async ValueTask<(JsonRpcMessage Message, byte[] Body)?> ParseAsync(HttpContext context, byte[] body)
    {
        RequestId id = default;
        if (TryParse(ref body, out var message, out var code, out var problem))
        {
            if (MessageMembers.Problem(message) is not { } duplicate)
                return (message, body);
            (problem, id) = (duplicate, (message as JsonRpcRequest)?.Id ?? default);
        }

        await HttpAnswers.BadRequestAsync(context, problem, (int)code, id).ConfigureAwait(false);
        return null;
    }

    /// <summary>Checks the parameters of a message; its body, as it is to be kept. <see langword="null"/>: it was refused.</summary>
    /// <param name="context">The request.</param>
    /// <param name="message">The message.</param>
    /// <param name="body">Its bytes.</param>
    /// <param name="version">The revision that the request's header names.</param>
    /// <param name="answers">Whether the response to a request is its answer; by HTTP+SSE it is not, and the client looks at the status alone.</param>
    public static async ValueTask<byte[]?> CheckParametersAsync(HttpContext context, JsonRpcMessage message, byte[] body, string version, bool answers = true)
    {
        var check = ParameterRules.Check(message);
        if (check.Problem is not { } problem)
            return check.Changed ? JsonRpc.Serialize(message) : body;

        // Clients take a JSON-RPC error out of a 200 alone. A notification has no answer, and revision 2026-07-28 wants 400 for its '_meta'.
        var id = (message as JsonRpcRequest)?.Id ?? default;
        var status = answers && message is JsonRpcRequest && !(check.OfMeta && version == McpHeaders.Stateless) ? StatusCodes.Status200OK
            : StatusCodes.Status400BadRequest;
        await HttpAnswers.ErrorAsync(context, status, (int)McpErrorCode.InvalidParams, problem, id).ConfigureAwait(false);
        return null;
    }

    private static bool TryParse(ref byte[] body, out JsonRpcMessage message, out McpErrorCode code, out string problem)
    {
        message = null!;
        (code, problem) = (McpErrorCode.InvalidRequest, "Bad Request: the body is not a JSON-RPC message.");
        if (body.AsSpan().TrimStart(" \t\r\n"u8) is [(byte)'[', ..])
        {
            problem = "JSON-RPC batches are not supported. Send one JSON-RPC message per POST.";
            return false;
        }

        if (!JsonText.IsText(body))
        {
            problem += " Its text is not valid UTF-8, or has half a surrogate pair in it.";
            return false;
        }

        try
        {
            message = JsonRpc.Parse(body);
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or NotSupportedException)
        {
            if (!JsonText.IsJson(body))
                (code, problem) = (McpErrorCode.ParseError, $"The body is not valid JSON. {e.Message}");
            else if (WithPlainId(body) is { } plain)
                return TryParse(ref plain, out message, out code, out problem) && (body = plain) is not null;
            else if (e is JsonException)
                problem += $" {e.Message}";
            return false;
        }
    }

    // The SDK does not read an id that is written 1.0. Null: the id is not such a number, or the body is nested too deeply to be read.
    private static byte[]? WithPlainId(byte[] body)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body);
        }
        catch (JsonException)
        {
            return null;
        }

        using var json = document;
        if (json.RootElement.ValueKind != JsonValueKind.Object || !json.RootElement.TryGetProperty("id", out var id) || Integers.Rewrite(id) is not { } plain)
            return null;
        var changed = new ArrayBufferWriter<byte>(body.Length);
        using (var writer = new Utf8JsonWriter(changed))
        {
            writer.WriteStartObject();
            foreach (var member in json.RootElement.EnumerateObject())
            {
                writer.WritePropertyName(member.Name);
                (member.NameEquals("id"u8) ? plain : member.Value).WriteTo(writer);
            }

            writer.WriteEndObject();
        }

        return changed.WrittenSpan.ToArray();
    }
}
