using System.Buffers;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mcp.HighAvailability.Cluster;

/// <summary>
/// HTTP/2 without TLS on the endpoints of a replica, beside HTTP/1.1, so that the streams of a relay share connections. A relay begins with HTTP/2 at once
/// (prior knowledge, RFC 9113 section 3.3); Kestrel by itself takes every connection without TLS for HTTP/1.1.
/// </summary>
internal sealed class PriorKnowledge
{
    // A client that means HTTP/2 begins at once.
    private static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(1);

    // Kestrel's own TLS handshake sets this feature. Without it relays stay with HTTP/1.1.
    private static readonly Type? Feature =
        typeof(KestrelServerOptions).Assembly.GetType("Microsoft.AspNetCore.Server.Kestrel.Core.Internal.HttpProtocolsFeature");

    private volatile bool _offered;

    /// <summary>The endpoints of this process take HTTP/2 without TLS.</summary>
    public bool IsOffered => _offered;

    /// <summary>Has an endpoint take HTTP/2 without TLS, if it takes HTTP/1.1.</summary>
    public void Offer(ListenOptions endpoint)
    {
        if (Feature is null)
            return;
        _offered = true;
        endpoint.Use(next => connection => ServeAsync(next, connection, Feature));
    }

    private static async Task ServeAsync(ConnectionDelegate next, ConnectionContext connection, Type feature)
    {
        if (await BeginsWithPrefaceAsync(connection).ConfigureAwait(false))
            connection.Features[feature] = Activator.CreateInstance(feature, HttpProtocols.Http2);
        await next(connection).ConfigureAwait(false);
    }

    // The bytes stay in the pipe in either case.
    private static async ValueTask<bool> BeginsWithPrefaceAsync(ConnectionContext connection)
    {
        var input = connection.Transport.Input;
        CancellationTokenSource? limit = null;
        try
        {
            while (true)
            {
                if (!input.TryRead(out var read))
                    read = await input.ReadAsync((limit ??= new(MaxWait)).Token).ConfigureAwait(false);
                var decided = Decide(read.Buffer);
                var waits = decided is null && !read.IsCompleted;
                input.AdvanceTo(read.Buffer.Start, waits ? read.Buffer.End : read.Buffer.Start);
                if (!waits)
                    return decided == true;
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            return false; // silent, or broken: Kestrel deals with both
        }
        finally
        {
            limit?.Dispose();
        }
    }

    // No request of HTTP/1.1 begins with these bytes. Null: more have to come.
    private static bool? Decide(ReadOnlySequence<byte> buffer)
    {
        var preface = "PRI * HTTP/2.0"u8;
        Span<byte> begin = stackalloc byte[(int)Math.Min(buffer.Length, preface.Length)];
        buffer.Slice(0, begin.Length).CopyTo(begin);
        return !preface.StartsWith(begin) ? false : begin.Length == preface.Length ? true : null;
    }
}
