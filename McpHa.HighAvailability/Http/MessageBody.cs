using System.Text.Json;
using McpHa.HighAvailability.Sessions;
using Microsoft.AspNetCore.Http;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace McpHa.HighAvailability.Http;

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
                context, StatusCodes.Status415UnsupportedMediaType, JsonRpc.BadRequest, "Unsupported Media Type: send the header 'Content-Type: application/json'.").ConfigureAwait(false);
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
                    await HttpAnswers.FullAsync(context, $"it holds {bodies.Budget.Limit} bytes of request bodies ({bodies.Budget.Setting}).").ConfigureAwait(false);
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

    /// <summary>Reads the message of a body; <see langword="null"/>: it was refused.</summary>
    public static async ValueTask<JsonRpcMessage?> ParseAsync(HttpContext context, byte[] body)
    {
        RequestId id = default;
        if (TryParse(body, out var message, out var problem))
        {
            if (MessageMembers.AreThereOnce(message))
                return message;
            (problem, id) = (MessageMembers.Problem, (message as JsonRpcRequest)?.Id ?? default);
        }

        await HttpAnswers.BadRequestAsync(context, problem, (int)McpErrorCode.InvalidRequest, id).ConfigureAwait(false);
        return null;
    }

    private static bool TryParse(byte[] body, out JsonRpcMessage message, out string problem)
    {
        message = null!;
        if (body.AsSpan().TrimStart(" \t\r\n"u8) is [(byte)'[', ..])
        {
            problem = "JSON-RPC batches are not supported. Send one JSON-RPC message per POST.";
            return false;
        }

        problem = "Bad Request: the body is not a JSON-RPC message.";
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
            if (e is JsonException)
                problem += $" {e.Message}";
            return false;
        }
    }
}
