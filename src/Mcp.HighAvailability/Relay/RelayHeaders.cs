using System.Collections.Frozen;
using System.Net.Http.Headers;
using System.Text;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay.Upstream;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Mcp.HighAvailability.Relay;

/// <summary>Which headers cross a relay, in both directions: end-to-end ones, and none of ours.</summary>
internal static class RelayHeaders
{
    public const string SessionId = "Mcp-Session-Id";
    public const string LastEventId = "Last-Event-ID";
    public const string TraceParent = "traceparent";

    // RFC 9110 section 7.6.1, and the older ones that are still about.
    private static readonly string[] HopByHop =
    [
        "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info",
        "TE", "Trailer", "Transfer-Encoding", "Upgrade", "HTTP2-Settings",
    ];

    // Accept-Encoding: events can only be told apart in plain text. Content-Length: set from the body. Expect: the body is here already.
    private static readonly FrozenSet<string> NotToReplica =
        HopByHop.Concat(["Host", "Content-Length", "Accept-Encoding", "Expect"]).ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    // Server and Date come from the process that answers the client.
    private static readonly FrozenSet<string> NotToClient =
        HopByHop.Concat(["Server", "Date", "Content-Length"]).ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    // A resume is a GET of its own; it says these itself.
    private static readonly FrozenSet<string> NotInResume =
        new[] { "Accept", LastEventId, SessionId }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    public static void CopyToReplica(IHeaderDictionary from, ReplicaCall to, bool resume, bool exceptTraceParent)
    {
        var named = from.Connection;
        foreach (var (name, values) in from)
        {
            if (IsOurs(name) || NotToReplica.Contains(name) || ForwardedClient.IsHeader(name) || IsNamedBy(named, name))
                continue;

            if (resume && (NotInResume.Contains(name) || name.StartsWith("Content-", StringComparison.OrdinalIgnoreCase)))
                continue;

            if (exceptTraceParent && name.Equals(TraceParent, StringComparison.OrdinalIgnoreCase))
                continue;

            foreach (var value in values)
            {
                if (value is not null)
                    to.AddHeader(name, value);
            }
        }
    }

    public static void CopyToClient(HttpResponseMessage from, IHeaderDictionary to)
    {
        Copy(from.Headers.NonValidated, to);
        Copy(from.Content.Headers.NonValidated, to);
    }

    /// <summary>Whether a header of a response crosses a relay.</summary>
    public static bool CrossesToClient(string name) => !IsOurs(name) && !NotToClient.Contains(name);

    private static void Copy(HttpHeadersNonValidated from, IHeaderDictionary to)
    {
        foreach (var (name, values) in from)
        {
            if (!CrossesToClient(name))
                continue;

            var value = values.Count == 1 ? new StringValues(values.ToString()) : new StringValues([.. values]);
            if (IsAscii(value)) // anything else cannot be written again
                to[name] = value;
        }
    }

    private static bool IsOurs(string name) => name.StartsWith(HaHeaders.Prefix, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether a <c>Connection</c> header names another header, which then does not cross a relay.</summary>
    public static bool IsNamedBy(StringValues connection, string name)
    {
        foreach (var value in connection)
        {
            if (value is null || value.Equals("keep-alive", StringComparison.OrdinalIgnoreCase) || value.Equals("close", StringComparison.OrdinalIgnoreCase))
                continue;

            foreach (var range in value.AsSpan().Split(','))
            {
                if (value.AsSpan(range).Trim().Equals(name, StringComparison.OrdinalIgnoreCase))
                    return true;
            }
        }

        return false;
    }

    private static bool IsAscii(StringValues values)
    {
        foreach (var value in values)
        {
            if (value is not null && !Ascii.IsValid(value))
                return false;
        }

        return true;
    }
}
