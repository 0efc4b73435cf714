namespace Mcp.HighAvailability.Balancer.Status;

internal enum StatusFormat
{
    None,
    Html,
    Json,
}

/// <summary>Format that a request for the page asks for.</summary>
internal static class StatusFormats
{
    public static StatusFormat Of(HttpRequest request)
    {
        if (string.Equals(request.Query["format"], "json", StringComparison.OrdinalIgnoreCase))
            return StatusFormat.Json;

        var accept = request.Headers.Accept.ToString();
        return accept.Contains("text/event-stream", StringComparison.OrdinalIgnoreCase) ? StatusFormat.None
            : accept.Contains("application/json", StringComparison.OrdinalIgnoreCase) && !accept.Contains("text/html", StringComparison.OrdinalIgnoreCase)
                ? StatusFormat.Json
            : StatusFormat.Html;
    }
}
