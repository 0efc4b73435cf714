using System.Buffers;
using System.Text.Json;
using Mcp.HighAvailability.Protocol;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Relay;

/// <summary>An error that a relay itself answers, as JSON-RPC.</summary>
/// <param name="Status">HTTP status, when the response has not begun.</param>
/// <param name="Code">JSON-RPC error code.</param>
/// <param name="Reason">For programs, in <c>error.data.reason</c>.</param>
/// <param name="Message">For people.</param>
internal sealed record RelayError(int Status, int Code, string Reason, string Message)
{
    private static readonly object MayHaveRunMark = new();

    /// <summary>No replica could serve the request within the hold time; it was not run.</summary>
    public static readonly RelayError NoReplica = new(
        StatusCodes.Status503ServiceUnavailable, JsonRpc.Unavailable, "unavailable", "No replica can serve this request now. Send it again later.");

    /// <summary>The replica was lost with the request, and the request must not be sent twice.</summary>
    public static readonly RelayError MayHaveRun = new(
        StatusCodes.Status502BadGateway, JsonRpc.MayHaveRun, "may-have-run", "The replica that worked on this request was lost. The request may have run, and" +
            " was not sent again. Check its effect before you repeat it.");

    /// <summary>So many replicas were lost with the request that it is not sent again.</summary>
    public static RelayError LostRepeatedly(int losses) => new(
        StatusCodes.Status502BadGateway, JsonRpc.MayHaveRun, "replicas-lost",
        $"{losses} replicas were lost while they worked on this request. It may have run, and it is not sent again. Find out in their logs why they ended " +
            "before you send it again.");

    /// <summary>The replica answered something too large to relay.</summary>
    public static readonly RelayError AnswerTooLarge = new(
        StatusCodes.Status502BadGateway, JsonRpc.AnswerTooLarge, "answer-too-large", "The answer is larger than the limit of the relay. Raise " +
            "Relay:MaxMessageBytes of balancers and replicas, or ask for less.");

    /// <summary>The request body is larger than allowed.</summary>
    public static RelayError RequestTooLarge(long allowed, string option) => new(
        StatusCodes.Status413PayloadTooLarge, JsonRpc.BadRequest, "request-too-large",
            $"The request body is larger than {allowed} bytes; send less, or raise {option}.");

    /// <summary>This process holds as many bytes of request bodies as it may.</summary>
    public static RelayError BodiesFull(long limit, string option) => new(
        StatusCodes.Status503ServiceUnavailable, JsonRpc.Unavailable, "bodies-full",
        $"This balancer holds {limit} bytes of request bodies, its limit. Send the request again later, or raise {option}.");

    /// <summary>Whether the response of a request is this error: "may have run".</summary>
    public static bool IsMayHaveRun(HttpContext context) => context.Items.ContainsKey(MayHaveRunMark);

    /// <summary>Answers a request whose response has not begun; a relay is told whether it passes by itself.</summary>
    public async Task AnswerAsync(HttpResponse response, ReadOnlyMemory<byte> request, bool transient = false, IReadOnlyList<string>? begunAt = null)
    {
        response.Clear();
        response.StatusCode = Status;
        response.ContentType = "application/json";
        if (Code == JsonRpc.MayHaveRun)
            response.HttpContext.Items[MayHaveRunMark] = null;
        if (Status == StatusCodes.Status503ServiceUnavailable)
            response.Headers.RetryAfter = "1";
        if (transient)
            response.Headers[HaHeaders.Transient] = "1";
        if (transient && begunAt is { Count: > 0 })
            response.Headers[HaHeaders.Begun] = string.Join(',', begunAt);
        if (Status == StatusCodes.Status413PayloadTooLarge)
            response.Headers.Connection = "close"; // the rest of the body is in the way of any next request

        var body = ToJson(request.Span);
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body);
    }

    /// <summary>The JSON-RPC message, with the id of the request if it has one.</summary>
    public byte[] ToJson(ReadOnlySpan<byte> request)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("jsonrpc", "2.0");
            json.WritePropertyName("id");
            if (IdOf(request) is { } id)
                json.WriteRawValue(id);
            else
                json.WriteNullValue();
            json.WriteStartObject("error");
            json.WriteNumber("code", Code);
            json.WriteString("message", Message);
            json.WriteStartObject("data");
            json.WriteString("reason", Reason);
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    // The raw JSON of the top-level id. Broken JSON is the replica's to complain about: here it only has no id.
    private static byte[]? IdOf(ReadOnlySpan<byte> request)
    {
        try
        {
            var reader = new Utf8JsonReader(request);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return null;

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isId = reader.ValueTextEquals("id"u8);
                if (!reader.Read())
                    return null;

                if (isId && reader.TokenType is (JsonTokenType.String or JsonTokenType.Number))
                    return request[(int)reader.TokenStartIndex..(int)reader.BytesConsumed].ToArray();

                reader.Skip();
            }
        }
        catch (JsonException)
        {
        }

        return null;
    }
}
