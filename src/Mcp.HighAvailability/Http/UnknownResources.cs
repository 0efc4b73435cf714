using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Http;

/// <summary>Names the resource in the error for one that there is not, as the protocol asks for.</summary>
internal static class UnknownResources
{
    public static McpRequestHandler<ReadResourceRequestParams,
        ReadResourceResult> Name(McpRequestHandler<ReadResourceRequestParams, ReadResourceResult> next) =>
        async (request, cancellationToken) =>
        {
            try
            {
                return await next(request, cancellationToken).ConfigureAwait(false);
            }
            catch (McpProtocolException e) when (e.ErrorCode is McpErrorCode.InvalidParams or McpErrorCode.ResourceNotFound &&
                request.Params?.Uri is { } uri && !e.Data.Contains("uri"))
            {
                // The SDK sends what is in here as the error's data.
                e.Data["uri"] = uri;
                throw;
            }
        };
}
