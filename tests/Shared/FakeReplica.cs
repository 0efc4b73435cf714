using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace McpHa.Tests;

/// <summary>A request as it arrived at a replica.</summary>
internal sealed record Seen(string Method, string Target, IReadOnlyDictionary<string, string> Headers, string Body);

/// <summary>A real server on a real port that answers as the test says.</summary>
internal sealed class FakeReplica : IAsyncDisposable
{
    private readonly WebApplication _app;

    private FakeReplica(string id, WebApplication app) => (Id, _app) = (id, app);

    public string Id { get; }

    public Uri Address => new(_app.Urls.Single());

    public ConcurrentQueue<Seen> Requests { get; } = new();

    /// <summary>Answers the requests; the number counts them from 1.</summary>
    public Func<HttpContext, int, Task> Answer { get; set; } = (context, _) => JsonAsync(context, """{"jsonrpc":"2.0","id":1,"result":{}}""");

    public ReplicaInfo Info => FixedRegistry.Info(Id, Address);

    public static async Task<FakeReplica> StartAsync(string id, Func<HttpContext, int, Task>? answer = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromMilliseconds(1));
        var app = builder.Build();
        var replica = new FakeReplica(id, app);
        if (answer is not null)
            replica.Answer = answer;
        app.Run(replica.HandleAsync);
        await app.StartAsync();
        return replica;
    }

    public static async Task JsonAsync(HttpContext context, string json, int status = 200)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(json);
    }

    /// <summary>Begins an event stream and sends text on it at once.</summary>
    public static async Task EventsAsync(HttpContext context, string text, string? cursor = null, string? owner = null)
    {
        context.Response.ContentType = "text/event-stream";
        if (cursor is not null)
            context.Response.Headers["Mcp-Ha-Cursor"] = cursor;
        if (owner is not null)
            context.Response.Headers["Mcp-Ha-Owner"] = owner;
        await context.Response.WriteAsync(text);
        await context.Response.Body.FlushAsync();
    }

    /// <summary>
    /// Begins an event stream and closes the connection as the kernel does it for a killed process: the text arrives, and then nothing.
    /// Written past the server, which takes back what it has not sent when a connection is aborted.
    /// </summary>
    public static Task EventsAndBreakAsync(HttpContext context, string text, params string[] headers)
    {
        var socket = context.Features.Get<IConnectionSocketFeature>()!.Socket;
        var chunk = text.Length > 0 ? $"{Encoding.UTF8.GetByteCount(text):x}\r\n{text}\r\n" : "";
        var head = string.Concat(headers.Prepend("Content-Type: text/event-stream").Select(header => header + "\r\n"));
        socket.Send(Encoding.UTF8.GetBytes($"HTTP/1.1 200 OK\r\n{head}Transfer-Encoding: chunked\r\n\r\n{chunk}"));
        socket.Shutdown(SocketShutdown.Both);
        return Task.CompletedTask;
    }

    /// <summary>Keeps the request open until its connection is closed.</summary>
    public static Task HangAsync(HttpContext context) =>
        Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);

    public async Task StopAsync() => await _app.StopAsync();

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task HandleAsync(HttpContext context)
    {
        // Relays ask whether it is there while they have something open; that is none of the requests that tests count.
        if (context.Request.Headers.ContainsKey("Mcp-Ha-Probe"))
        {
            await JsonAsync(context, """{"draining":false,"storeAway":false}""");
            return;
        }

        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        Requests.Enqueue(new Seen(
            context.Request.Method,
            context.Features.Get<IHttpRequestFeature>()!.RawTarget,
            context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase),
            body));
        await Answer(context, Requests.Count);
    }
}
