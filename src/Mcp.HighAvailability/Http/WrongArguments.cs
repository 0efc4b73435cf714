using System.Text.Json;
using Mcp.HighAvailability.Protocol;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Http;

/// <summary>Says which argument of a tool, prompt or resource template is wrong. The SDK says no more than that an error occurred.</summary>
internal static class WrongArguments
{
    public static void AddTo(McpServerOptions options)
    {
        // Integers are rewritten before the user's filters run. Errors are explained inside of them, next to the tool.
        options.Filters.Request.CallToolFilters.Insert(0, WithPlainIntegers);
        options.Filters.Request.CallToolFilters.Add(Explain);
        options.Filters.Request.GetPromptFilters.Add(Explain);
        options.Filters.Request.ReadResourceFilters.Add(Explain);
    }

    private static McpRequestHandler<CallToolRequestParams, CallToolResult> WithPlainIntegers(McpRequestHandler<CallToolRequestParams, CallToolResult> next) =>
        (request, cancellationToken) =>
        {
            if (request.Params?.Arguments is { Count: > 0 } arguments)
            {
                foreach (var (name, value) in arguments)
                {
                    if (Integers.Rewrite(value) is { } plain)
                        arguments[name] = plain;
                }
            }

            return next(request, cancellationToken);
        };

    private static McpRequestHandler<CallToolRequestParams, CallToolResult> Explain(McpRequestHandler<CallToolRequestParams, CallToolResult> next) =>
        async (request, cancellationToken) =>
        {
            try
            {
                return await next(request, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (MayBeOfBinding(e) && Find(request) is { } problem)
            {
                // A result and not an error, so that the model sees it and can do better.
                return new CallToolResult { IsError = true, Content = [new TextContentBlock { Text = $"{problem} See the tool's input schema." }] };
            }
        };

    private static string? Find(RequestContext<CallToolRequestParams> request) =>
        request.MatchedPrimitive is McpServerTool tool ? SchemaMismatch.Find(tool.ProtocolTool.InputSchema, request.Params?.Arguments) : null;

    private static McpRequestHandler<GetPromptRequestParams, GetPromptResult> Explain(McpRequestHandler<GetPromptRequestParams, GetPromptResult> next) =>
        async (request, cancellationToken) =>
        {
            var missing = (request.MatchedPrimitive as McpServerPrompt)?.ProtocolPrompt.Arguments?
                .FirstOrDefault(argument => argument.Required == true && request.Params?.Arguments?.ContainsKey(argument.Name) != true);
            if (missing is not null)
                throw new McpProtocolException($"'params.arguments.{missing.Name}' is missing. The prompt '{request.Params?.Name}' requires it.",
                    McpErrorCode.InvalidParams);
            try
            {
                return await next(request, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (MayBeOfBinding(e) && request.Params?.Arguments is { Count: > 0 })
            {
                throw new McpProtocolException($"An argument of the prompt '{request.Params.Name}' has a value that cannot be read.", e,
                    McpErrorCode.InvalidParams);
            }
        };

    private static McpRequestHandler<ReadResourceRequestParams,
        ReadResourceResult> Explain(McpRequestHandler<ReadResourceRequestParams, ReadResourceResult> next) =>
        async (request, cancellationToken) =>
        {
            try
            {
                return await next(request, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (MayBeOfBinding(e) && request.MatchedPrimitive is McpServerResource { IsTemplated: true })
            {
                throw new McpProtocolException($"'params.uri' has a part that cannot be read: '{HttpAnswers.Printable(request.Params!.Uri)}'.", e,
                    McpErrorCode.InvalidParams);
            }
        };

    private static bool MayBeOfBinding(Exception exception) => exception is JsonException or ArgumentException or FormatException;
}
