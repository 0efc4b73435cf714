using System.IO.Pipelines;
using System.Text;
using Mcp.HighAvailability.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace McpHa.Tests;

/// <summary>One HTTP request and what has come back of it, without a network: everything is there as soon as nothing moves.</summary>
internal sealed class Wire : Stream, IHttpResponseFeature, IHttpResponseBodyFeature, IHttpRequestLifetimeFeature
{
    private readonly CancellationTokenSource _aborted = new();
    private readonly MemoryStream _bytes = new();
    private readonly PipeWriter _writer;
    private readonly DefaultHttpContext _context = new();
    private bool _complete;

    public Wire(string method, string body, IEnumerable<KeyValuePair<string, string>> headers)
    {
        _writer = PipeWriter.Create(this, new StreamPipeWriterOptions(leaveOpen: true));
        RequestAborted = _aborted.Token;
        _context.Features.Set<IHttpResponseFeature>(this);
        _context.Features.Set<IHttpResponseBodyFeature>(this);
        _context.Features.Set<IHttpRequestLifetimeFeature>(this);
        var request = _context.Request;
        request.Method = method;
        request.Path = "/mcp";
        request.Headers.Accept = "application/json, text/event-stream";
        foreach (var (name, value) in headers)
            request.Headers[name] = value;
        if (method != "POST")
            return;
        request.ContentType = "application/json";
        request.Body = new MemoryStream(Encoding.UTF8.GetBytes(body));
    }

    /// <summary>The response has come to its end.</summary>
    public bool Complete => Volatile.Read(ref _complete);

    /// <summary>The connection was cut, by either side.</summary>
    public bool Broken { get; private set; }

    /// <summary>What the server threw, if it did.</summary>
    public Exception? Failure { get; private set; }

    public int StatusCode { get; set; } = 200;

    public bool IsStream => Headers.ContentType == "text/event-stream";

    public string Text
    {
        get
        {
            lock (_bytes)
                return Encoding.UTF8.GetString(_bytes.GetBuffer(), 0, (int)_bytes.Length);
        }
    }

    public string? ReasonPhrase { get; set; }

    public IHeaderDictionary Headers { get; set; } = new HeaderDictionary();

    public Stream Body
    {
        get => this;
        set => throw new NotSupportedException();
    }

    public bool HasStarted { get; private set; }

    public Stream Stream => this;

    public PipeWriter Writer => _writer;

    public CancellationToken RequestAborted { get; set; }

    /// <summary>Sends the request to a replica's endpoint.</summary>
    public void Send(McpEndpoint endpoint) => _ = Task.Run(async () =>
    {
        try
        {
            await (_context.Request.Method switch
            {
                "POST" => endpoint.PostAsync(_context),
                "GET" => endpoint.GetAsync(_context),
                _ => endpoint.DeleteAsync(_context),
            });
            await CompleteAsync();
        }
        catch (OperationCanceledException) when (Broken)
        {
            // As with Kestrel when the client has gone.
        }
        catch (Exception e)
        {
            Failure = e;
        }
    });

    /// <summary>The client hangs up, or the process at the other end dies (which then does not notice).</summary>
    public void Cut(bool noticed)
    {
        lock (_bytes)
            Broken = true;
        if (noticed)
            _aborted.Cancel();
    }

    public void Abort()
    {
        lock (_bytes)
            Broken = true;
        _ = _aborted.CancelAsync();
    }

    public void OnStarting(Func<object, Task> callback, object state)
    {
    }

    public void OnCompleted(Func<object, Task> callback, object state)
    {
    }

    public void DisableBuffering()
    {
    }

    public Task StartAsync(CancellationToken cancellationToken = default)
    {
        HasStarted = true;
        return Task.CompletedTask;
    }

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public async Task CompleteAsync()
    {
        await _writer.FlushAsync();
        HasStarted = true;
        Volatile.Write(ref _complete, true);
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush() => HasStarted = true;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        HasStarted = true;
        lock (_bytes)
        {
            if (!Broken)
                _bytes.Write(buffer);
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        Write(buffer, offset, count);
        return Task.CompletedTask;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }
}
