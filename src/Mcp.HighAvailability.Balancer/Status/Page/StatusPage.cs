using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Mcp.HighAvailability.Balancer.Status.Page;

/// <summary>The live page: whole without JavaScript, renewed every second with it. No session id in full, nothing loaded from elsewhere.</summary>
internal sealed class StatusPage(bool operations, bool lookup)
{
    private static readonly string _style = Resource("page.css");
    private static readonly string _script = Resource("page.js");

    private static readonly string _policy =
        $"default-src 'none'; style-src {HashOf(_style)}; script-src {HashOf(_script)}; connect-src 'self'; base-uri 'none'; form-action 'self'; " +
            "frame-ancestors 'none'";

    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private static readonly string _runbook = RenderRunbook();

    private readonly LivePart _live = new(operations);

    public static Task WriteJsonAsync<T>(HttpContext context, T what)
    {
        SetHeaders(context.Response, "application/json; charset=utf-8");
        return context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(what, _json)).AsTask();
    }

    /// <summary>The runbook, served where the page is: it is readable when nothing else is.</summary>
    public static Task WriteRunbookAsync(HttpContext context)
    {
        SetHeaders(context.Response, "text/html; charset=utf-8");
        return context.Response.WriteAsync(_runbook, context.RequestAborted);
    }

    public Task WriteHtmlAsync(HttpContext context, Status status, LookupAnswer? answer = null)
    {
        SetHeaders(context.Response, "text/html; charset=utf-8");
        return context.Response.WriteAsync(Render(status, answer), context.RequestAborted);
    }

    /// <summary>The server-sent event that every viewer gets.</summary>
    public byte[] RenderEvent(Status status)
    {
        var text = new StringBuilder("data: ", 16384);
        _live.Render(text, status);
        return Encoding.UTF8.GetBytes(text.Append("\n\n").ToString());
    }

    private string Render(Status status, LookupAnswer? answer)
    {
        var page = new StringBuilder(24576);
        page.Append("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>MCP " +
            "cluster</title><style>")
            .Append(_style).Append("</style></head><body><header><h1>MCP cluster</h1><p id=\"link\">a snapshot; reload the page to renew " +
                "it</p></header><main>");
        _live.Render(page, status);
        page.Append("<p id=\"said\" role=\"status\"></p>");
        if (lookup)
            LookupPart.Render(page, answer, status.Time);
        page.Append("</main>");
        if (operations)
            RenderQuestion(page);
        return page.Append("<script>").Append(_script).Append("</script></body></html>").ToString();
    }

    private static string RenderRunbook()
    {
        var page = new StringBuilder(32768);
        page.Append("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Runbook of " +
            "the MCP cluster</title><style>")
            .Append(_style).Append("</style></head><body class=\"text\"><main><p><a href=\"/\">Back to the cluster page</a></p>");
        Markdown.Render(page, Resource("operations.md"));
        return page.Append("</main></body></html>").ToString();
    }

    private static void RenderQuestion(StringBuilder page) => page
        .Append("<dialog id=\"ask\" aria-labelledby=\"ask-title\" aria-describedby=\"ask-text\"><h2 id=\"ask-title\">Drain?</h2><p " +
            "id=\"ask-text\"></p><form id=\"ask-form\" method=\"dialog\">")
        .Append("<label>Operators' key<input id=\"ask-key\" type=\"password\" autocomplete=\"off\" required></label><p class=\"dim\">Kept in this tab's " +
            "memory until you close it.</p>")
        .Append("<div class=\"buttons\"><button id=\"ask-yes\" type=\"submit\">Drain</button><button id=\"ask-no\" " +
            "type=\"button\">Cancel</button></div></form></dialog>");

    private static void SetHeaders(HttpResponse response, string contentType)
    {
        response.ContentType = contentType;
        response.Headers.CacheControl = "no-store";
        response.Headers.Vary = "Accept";
        response.Headers.ContentSecurityPolicy = _policy;
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers["Referrer-Policy"] = "no-referrer";
    }

    private static string Resource(string name)
    {
        using var reader = new StreamReader(typeof(StatusPage).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }

    // Whatever the sources' line ends are, a parser makes them \n before it takes the hash.
    private static string HashOf(string inline) =>
        $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(inline.ReplaceLineEndings("\n"))))}'";
}
