using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace McpHa.Balancer.Status;

internal enum StatusFormat
{
    None,
    Html,
    Json,
}

/// <summary>The live page: whole without JavaScript, renewed every second with it. No session ids, nothing loaded from elsewhere.</summary>
internal static class StatusPage
{
    private const string Style = """
        :root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 18%,transparent);--dim:color-mix(in srgb,currentColor 60%,transparent)}
        body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}
        h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}p{margin:.2rem 0;color:var(--dim)}
        dl{display:flex;flex-wrap:wrap;gap:.75rem;margin:1.25rem 0}dl div{border:1px solid var(--line);border-radius:.5rem;padding:.5rem .9rem;min-width:6.5rem}
        dt{color:var(--dim);font-size:.8rem}dd{margin:0;font-size:1.35rem;font-variant-numeric:tabular-nums}
        .wide{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .7rem;border-bottom:1px solid var(--line);white-space:nowrap;font-variant-numeric:tabular-nums}
        th{color:var(--dim);font-weight:500;font-size:.85rem}td.n,th.n{text-align:right}
        .alive{color:light-dark(#18794e,#4cc38a)}.draining{color:light-dark(#946800,#f1a10d)}.lost{color:light-dark(#cd2b31,#ff6369)}
        """;

    // The same page again, by the same code: only its main part is exchanged.
    private const string Script = """
        setInterval(async()=>{if(document.hidden)return;const s=document.getElementById('link');try{
        const r=await fetch(location.pathname,{headers:{accept:'text/html'},cache:'no-store'});if(!r.ok)throw 0;
        const d=new DOMParser().parseFromString(await r.text(),'text/html');
        document.querySelector('main').replaceWith(d.querySelector('main'));s.textContent='live';s.className='alive'}
        catch{s.textContent='balancer not reachable';s.className='lost'}},1000)
        """;

    private static readonly string Policy =
        $"default-src 'none'; style-src {HashOf(Style)}; script-src {HashOf(Script)}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
    };

    public static StatusFormat Wants(HttpRequest request)
    {
        if (string.Equals(request.Query["format"], "json", StringComparison.OrdinalIgnoreCase))
            return StatusFormat.Json;

        var accept = request.Headers.Accept.ToString();
        return accept.Contains("text/event-stream", StringComparison.OrdinalIgnoreCase) ? StatusFormat.None
            : accept.Contains("application/json", StringComparison.OrdinalIgnoreCase) && !accept.Contains("text/html", StringComparison.OrdinalIgnoreCase) ? StatusFormat.Json
            : StatusFormat.Html;
    }

    public static Task WriteJsonAsync(HttpContext context, Status status)
    {
        SetHeaders(context.Response, "application/json; charset=utf-8");
        return context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(status, Json)).AsTask();
    }

    public static Task WriteHtmlAsync(HttpContext context, Status status)
    {
        SetHeaders(context.Response, "text/html; charset=utf-8");
        return context.Response.WriteAsync(Render(status));
    }

    private static string Render(Status status)
    {
        var page = new StringBuilder(8192);
        page.Append("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>MCP cluster</title>")
            .Append("<style>").Append(Style).Append("</style></head><body><h1>MCP cluster</h1><p>Balancer process ")
            .Append(status.ProcessId).Append(" · <span id=\"link\"></span></p><main>");

        page.Append("<dl>");
        Total(page, "Replicas alive", $"{Number(status.Totals.Alive)} / {Number(status.Totals.Replicas)}");
        Total(page, "Sessions", Number(status.Totals.Sessions));
        Total(page, "Calls in work", Number(status.Totals.Calls));
        Total(page, "Exchanges relayed", Number(status.Totals.Relayed));
        Total(page, "Held bytes", Number(status.Totals.HeldBytes));
        Total(page, "Failovers", Number(status.Totals.Failovers));
        page.Append("</dl><h2>Replicas</h2>");

        if (status.Replicas.Count == 0)
        {
            page.Append("<p>None yet. Requests wait for the first one.</p>");
        }
        else
        {
            page.Append("<div class=\"wide\"><table><thead><tr><th>Replica</th><th>State</th><th>Address</th><th class=\"n\">Process</th><th class=\"n\">Sessions</th>")
                .Append("<th class=\"n\">Calls</th><th class=\"n\">Heartbeat</th><th>Up since (UTC)</th><th>Version</th></tr></thead><tbody>");
            foreach (var replica in status.Replicas)
            {
                page.Append("<tr><td>").Append(Text(replica.Id)).Append("</td><td class=\"").Append(replica.State).Append("\">").Append(replica.State)
                    .Append("</td><td>").Append(Text(replica.Address));
                page.Append("</td><td class=\"n\">").Append(replica.ProcessId);
                Cell(page, replica.Sessions);
                Cell(page, replica.Calls);
                page.Append("</td><td class=\"n\">").Append(Seconds(replica.HeartbeatAgeMs)).Append(" ago</td><td>").Append(Time(replica.Started))
                    .Append("</td><td>").Append(Text(replica.Version)).Append("</td></tr>");
            }

            page.Append("</tbody></table></div>");
        }

        page.Append("<h2>Recent failovers</h2>");
        if (status.Failovers.Count == 0)
        {
            page.Append("<p>None: no exchange of this balancer has lost its replica.</p>");
        }
        else
        {
            page.Append("<div class=\"wide\"><table><thead><tr><th>Time (UTC)</th><th>Lost</th><th>Went on with</th><th class=\"n\">Held</th></tr></thead><tbody>");
            foreach (var failover in status.Failovers)
            {
                page.Append("<tr><td>").Append(Time(failover.Time)).Append("</td><td>").Append(Text(failover.Lost)).Append("</td><td>").Append(Text(failover.Next))
                    .Append("</td><td class=\"n\">").Append(Number(failover.HeldMs)).Append(" ms</td></tr>");
            }

            page.Append("</tbody></table></div>");
        }

        return page.Append("<p>As of ").Append(Time(status.Time)).Append(" UTC</p></main><script>").Append(Script).Append("</script></body></html>").ToString();
    }

    private static void SetHeaders(HttpResponse response, string contentType)
    {
        response.ContentType = contentType;
        response.Headers.CacheControl = "no-store";
        response.Headers.Vary = "Accept";
        response.Headers.ContentSecurityPolicy = Policy;
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers["Referrer-Policy"] = "no-referrer";
    }

    private static void Total(StringBuilder page, string name, string value) =>
        page.Append("<div><dt>").Append(name).Append("</dt><dd>").Append(value).Append("</dd></div>");

    private static void Cell(StringBuilder page, long value) => page.Append("</td><td class=\"n\">").Append(Number(value));

    private static string Text(string value) => HtmlEncoder.Default.Encode(value);

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Seconds(long milliseconds) => (milliseconds / 1000.0).ToString("0.0 s", CultureInfo.InvariantCulture);

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    private static string HashOf(string inline) => $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(inline)))}'";
}
