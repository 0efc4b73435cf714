using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Protocol;

/// <summary>Answers that are not the session's: errors, each with a JSON-RPC body that says what to do.</summary>
internal static class HttpAnswers
{
    public static Task BadRequestAsync(HttpContext context, string message, int code = JsonRpc.BadRequest, RequestId id = default) =>
        ErrorAsync(context, StatusCodes.Status400BadRequest, code, message, id);

    public static Task NotAcceptableAsync(HttpContext context, string accept) =>
        ErrorAsync(context, StatusCodes.Status406NotAcceptable, JsonRpc.BadRequest,
            $"Not Acceptable: the client must accept {accept}; send the header 'Accept: {accept.Replace(" and ", ", ", StringComparison.Ordinal)}'.");

    public static Task TooLargeAsync(HttpContext context, long limit) =>
        ErrorAsync(context, StatusCodes.Status413PayloadTooLarge, JsonRpc.BadRequest,
            $"The request body is larger than {limit} bytes; send less, or raise HighAvailability:MaxRequestBodySize.");

    /// <summary>The body breaks off, or is not what its headers say. Not all of that is a <see cref="BadHttpRequestException"/> to the web server.</summary>
    public static Task UnreadableAsync(HttpContext context, IOException problem)
    {
        context.Response.Headers.Connection = "close"; // where a next request would begin is unknown
        return ErrorAsync(context, (problem as BadHttpRequestException)?.StatusCode ?? StatusCodes.Status400BadRequest, JsonRpc.BadRequest,
            "Bad Request: the body ended early or does not match its headers. Send Content-Length or chunked encoding that fits the body.");
    }

    public static Task SessionNotFoundAsync(HttpContext context, RequestId id = default) =>
        ErrorAsync(context, StatusCodes.Status404NotFound, JsonRpc.SessionNotFound, "Session not found: it was never opened, has ended, or has expired. Open " +
            "a new one with 'initialize'.", id);

    public static Task ForbiddenAsync(HttpContext context, RequestId id = default) =>
        ErrorAsync(context, StatusCodes.Status403Forbidden, JsonRpc.BadRequest, "Forbidden: the session belongs to another user. Open " +
            "a new one with 'initialize'.", id);

    /// <summary>The client is at one of its limits.</summary>
    public static Task TooManyAsync(HttpContext context, string limit, RequestId id = default, TimeSpan? retryAfter = null)
    {
        context.Response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling((retryAfter ?? TimeSpan.FromSeconds(1)).TotalSeconds))
            .ToString(System.Globalization.CultureInfo.InvariantCulture);
        return ErrorAsync(context, StatusCodes.Status429TooManyRequests, JsonRpc.Unavailable, $"Too many requests, try again later. Limit: {limit}", id);
    }

    /// <summary>The replica is full. Other replicas are about as full, so the request is not sent on.</summary>
    public static Task FullAsync(HttpContext context, string limit, RequestId id = default)
    {
        context.Response.Headers.RetryAfter = "10";
        return ErrorAsync(context, StatusCodes.Status503ServiceUnavailable, JsonRpc.Unavailable, $"This server is full, try again later. Limit: {limit}", id);
    }

    /// <summary>A refusal that passes by itself. A relay asks again; a client is told when to.</summary>
    public static Task UnavailableAsync(HttpContext context, string reason, RequestId id = default)
    {
        context.Response.Headers.RetryAfter = "1";
        if (context.Request.Headers.ContainsKey(HaHeaders.Relay))
            context.Response.Headers[HaHeaders.Transient] = "1";
        return ErrorAsync(context, StatusCodes.Status503ServiceUnavailable, JsonRpc.Unavailable, $"The session cannot be served now, try again: {reason}", id);
    }

    /// <summary>
    /// The session cannot be served any more at this moment, and the request may have begun to run. A relay asks again and is told where it has
    /// begun.
    /// </summary>
    public static Task MayHaveRunAsync(HttpContext context, string reason, string replicaId, RequestId id)
    {
        if (!context.Request.Headers.ContainsKey(HaHeaders.Relay))
            return ErrorAsync(context, StatusCodes.Status502BadGateway, JsonRpc.MayHaveRun, $"The server lost the session during this request: {reason} The " +
                "request may have run, and its answer is not known. Check its effect before you repeat it.", id);
        context.Response.Headers[HaHeaders.Begun] = string.Join(',', ClientExchange.Of(context).BegunAt.Append(replicaId));
        return UnavailableAsync(context, reason, id);
    }

    /// <summary>A peer asked for a session that is not ours.</summary>
    public static Task NotOwnerAsync(HttpContext context, string? owner)
    {
        if (owner is not null)
            context.Response.Headers[HaHeaders.Owner] = owner;
        context.Response.StatusCode = StatusCodes.Status421MisdirectedRequest;
        return Task.CompletedTask;
    }

    public static Task MethodNotAllowedAsync(HttpContext context, string message)
    {
        context.Response.Headers.Allow = HttpMethods.Post;
        return ErrorAsync(context, StatusCodes.Status405MethodNotAllowed, JsonRpc.BadRequest, message);
    }

    public static Task UnsupportedVersionAsync(HttpContext context, string requested, IEnumerable<string> supported, RequestId id = default) =>
        WriteAsync(context, StatusCodes.Status400BadRequest, JsonRpc.Error(
            id,
            (int)McpErrorCode.UnsupportedProtocolVersion,
            $"Protocol version '{Printable(requested)}' is not supported. Use one of error.data.supported.",
            new JsonObject { ["supported"] = new JsonArray([.. supported.Select(v => JsonValue.Create(v))]), ["requested"] = Printable(requested) }));

    public static Task ErrorAsync(HttpContext context, int status, int code, string message, RequestId id = default) =>
        WriteAsync(context, status, JsonRpc.Error(id, code, message));

    public static Task WriteAsync(HttpContext context, int status, JsonRpcMessage message)
    {
        context.Response.StatusCode = status;
        return JsonAsync(context, JsonRpc.Serialize(message));
    }

    /// <summary>Sends JSON. <see langword="false"/>: the connection is gone.</summary>
    public static async Task<bool> JsonAsync(HttpContext context, ReadOnlyMemory<byte> json)
    {
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = json.Length;
        return await context.Response.BodyWriter.WriteAsync(json).ConfigureAwait(false) is { IsCompleted: false, IsCanceled: false } &&
            !context.RequestAborted.IsCancellationRequested;
    }

    /// <summary>Shortens text of a client for an error message.</summary>
    public static string Printable(string value) => value.Length <= 64 ? value : value[..64] + "…";
}
