using System.Diagnostics;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Diagnostics;

/// <summary>Names the span of an HTTP request after the message that it carries, as the SDK names its spans: <c>tools/call countdown</c>.</summary>
internal static class RequestTrace
{
    private const string Response = "response";

    /// <summary>The span of a request; <see langword="null"/> when it is not recorded.</summary>
    public static Activity? Of(HttpContext context) =>
        SessionTrace.IsOn && context.Features.Get<IHttpActivityFeature>()?.Activity is { IsAllDataRequested: true } span ? span : null;

    /// <summary>Names the span of the request that brought a message.</summary>
    public static void Name(HttpContext context, JsonRpcMessage message)
    {
        if (Of(context) is not { } span)
            return;
        switch (message)
        {
            case JsonRpcRequest { Method: RequestMethods.ToolsCall or RequestMethods.PromptsGet } call:
                Name(span, call.Method, (call.Params as JsonObject)?["name"] is JsonValue name && name.TryGetValue<string>(out var target) ? target : "");
                break;
            case JsonRpcRequest request:
                Name(span, request.Method, "");
                break;
            case JsonRpcNotification notification:
                Name(span, notification.Method, "");
                break;
            default:
                Name(span, Response, "");
                break;
        }
    }

    /// <summary>Names a span.</summary>
    /// <param name="span">The span.</param>
    /// <param name="method">The MCP method; empty leaves the span as it is.</param>
    /// <param name="target">The tool or prompt; empty for other methods.</param>
    public static void Name(Activity span, string method, string target)
    {
        if (method.Length == 0)
            return;
        span.DisplayName = NameOf(method, target);
        span.SetTag(AttributeNames.McpMethod, method);
        if (target.Length > 0)
            span.SetTag(method == RequestMethods.PromptsGet ? AttributeNames.Prompt : AttributeNames.Tool, target);
    }

    /// <summary>The name of the span of a request.</summary>
    /// <param name="method">The MCP method.</param>
    /// <param name="target">The tool or prompt; empty for other methods.</param>
    public static string NameOf(string method, string target) => target.Length > 0 ? $"{method} {target}" : method;

    /// <summary>Marks the span of a request whose client gets an error of the relay, also when the response had begun with status 200.</summary>
    public static void Failed(HttpContext context, string reason) => Of(context)?.SetStatus(ActivityStatusCode.Error, reason);
}
