using System.Buffers;
using System.Text;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mcp.HighAvailability.Http;

/// <summary>An HTTP response that is an SSE stream.</summary>
internal sealed class EventStreamResponse(HttpContext context)
{
    public bool Started { get; private set; }

    /// <summary>Sends the headers. A relay is told where the stream can be resumed before its first event.</summary>
    /// <param name="cursor">From where; <see langword="null"/>: it cannot be, before its first event.</param>
    public void Start(string? cursor)
    {
        Started = true;
        var headers = context.Response.Headers;
        headers.ContentType = "text/event-stream";
        headers.CacheControl = "no-cache,no-store";
        headers.ContentEncoding = "identity";
        headers["X-Accel-Buffering"] = "no";
        if (cursor is not null && context.Request.Headers.ContainsKey(HaHeaders.Relay))
            headers[HaHeaders.Cursor] = cursor;
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
    }

    /// <summary>An event with an id and no data: from here the client can resume.</summary>
    public void WritePriming(SseEventId id)
    {
        Write("id: "u8);
        Write(id.ToString());
        Write("\ndata: \n\n"u8);
    }

    /// <summary>As <see cref="WritePriming"/>; and when the client is to come back.</summary>
    public void WriteRetry(SseEventId id, TimeSpan retry)
    {
        Write("retry: "u8);
        Write(((long)retry.TotalMilliseconds).ToString(System.Globalization.CultureInfo.InvariantCulture));
        Write("\n"u8);
        WritePriming(id);
    }

    /// <summary>The first event of HTTP+SSE: where the client posts its messages.</summary>
    public void WriteGreeting(SseEventId id, string address)
    {
        Write("id: "u8);
        Write(id.ToString());
        Write("\nevent: endpoint\ndata: "u8);
        Write(address);
        Write("\n\n"u8);
    }

    public void WriteEvent(SseEventId id, ReadOnlySpan<byte> payload) => WriteEvent(id.ToString(), payload);

    public void WriteEvent(string id, ReadOnlySpan<byte> payload)
    {
        Write("id: "u8);
        Write(id);
        Write("\nevent: message\ndata: "u8);
        Write(payload);
        Write("\n\n"u8);
    }

    public void WriteKeepAlive() => Write(":\n\n"u8);

    /// <summary>Sends what was written. <see langword="false"/>: the connection is gone.</summary>
    public async ValueTask<bool> FlushAsync(CancellationToken cancellationToken) =>
        await context.Response.BodyWriter.FlushAsync(cancellationToken).ConfigureAwait(false) is { IsCompleted: false, IsCanceled: false } &&
            !context.RequestAborted.IsCancellationRequested;

    private void Write(ReadOnlySpan<byte> bytes) => context.Response.BodyWriter.Write(bytes);

    private void Write(string text) => Encoding.ASCII.GetBytes(text, context.Response.BodyWriter);
}
