using System.Text.Json;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Server.Tools;

/// <summary>Says what is wrong with the arguments of a call, where the SDK says only that an error occurred.</summary>
public static class ArgumentErrors
{
    public static McpRequestHandler<CallToolRequestParams, CallToolResult> Explain(McpRequestHandler<CallToolRequestParams, CallToolResult> next) =>
        async (request, cancellationToken) =>
        {
            if (Missing(request).FirstOrDefault() is { } missing)
                throw new McpException($"The argument '{missing}' is missing.");

            try
            {
                return await next(request, cancellationToken);
            }
            catch (JsonException e)
            {
                throw new McpException($"An argument has the wrong type: {e.Message}", e);
            }
        };

    private static IEnumerable<string> Missing(RequestContext<CallToolRequestParams> request) =>
        request.MatchedPrimitive is McpServerTool tool && tool.ProtocolTool.InputSchema.TryGetProperty("required", out var required)
            ? required.EnumerateArray().Select(name => name.GetString()!).Where(name => request.Params?.Arguments?.ContainsKey(name) != true)
            : [];
}
