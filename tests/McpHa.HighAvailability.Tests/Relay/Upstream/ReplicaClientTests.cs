using System.Net;
using System.Net.Sockets;
using System.Text;
using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Relay.Upstream;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests.Relays;

public sealed class ReplicaClientTests : IDisposable
{
    private const string Answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Descriptors _descriptors = new(NullLogger<Descriptors>.Instance);
    private readonly FakeTimeProvider _time = new();
    private readonly ReplicaConnections _connections;

    public ReplicaClientTests()
    {
        _listener.Start();
        _connections = new(new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}"), TimeSpan.FromSeconds(1), _descriptors, _time);
    }

    public void Dispose()
    {
        _connections.Close();
        _listener.Dispose();
    }

    [Fact]
    public async Task Calls_one_after_the_other_use_one_connection()
    {
        var calling = CallAsync();
        using var socket = await _listener.AcceptSocketAsync();
        await AnswerAsync(socket, Answer);
        Assert.Equal((SendOutcome.Answered, "ok"), await calling);
        Assert.Equal(1, _connections.Idle);

        calling = CallAsync();
        await AnswerAsync(socket, Answer);
        Assert.Equal((SendOutcome.Answered, "ok"), await calling);
        Assert.False(_listener.Pending());
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")]
    [InlineData("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")]
    public async Task A_connection_that_is_to_close_or_has_sent_too_much_serves_no_other_call(string answer)
    {
        var calling = CallAsync();
        using var socket = await _listener.AcceptSocketAsync();
        await AnswerAsync(socket, answer);
        Assert.Equal((SendOutcome.Answered, "ok"), await calling);
        Assert.Equal(0, _connections.Idle);
    }

    [Fact]
    public async Task A_connection_on_which_something_arrives_unasked_serves_no_other_call()
    {
        var calling = CallAsync();
        using var socket = await _listener.AcceptSocketAsync();
        await AnswerAsync(socket, Answer);
        await calling;
        await socket.SendAsync(Encoding.ASCII.GetBytes(Answer.Replace("ok", "no", StringComparison.Ordinal)));

        calling = CallAsync();
        using var second = await _listener.AcceptSocketAsync();
        await AnswerAsync(second, Answer);
        Assert.Equal((SendOutcome.Answered, "ok"), await calling);
    }

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nno length")]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\n\r\n")]
    [InlineData("SSH-2.0\r\n\r\n")]
    public async Task What_is_no_whole_response_is_a_break(string answer)
    {
        var calling = CallAsync();
        using var socket = await _listener.AcceptSocketAsync();
        await AnswerAsync(socket, answer);
        socket.Shutdown(SocketShutdown.Both);
        Assert.Equal(SendOutcome.Broken, (await calling).Outcome);
    }

    [Fact]
    public async Task A_body_that_breaks_off_is_a_break()
    {
        var calling = CallAsync();
        using var socket = await _listener.AcceptSocketAsync();
        await AnswerAsync(socket, Answer[..^1]);
        socket.Shutdown(SocketShutdown.Both);
        Assert.Equal((SendOutcome.Answered, "broken"), await calling);
    }

    [Fact]
    public async Task An_early_answer_to_a_large_body_is_read()
    {
        var calling = CallAsync(new byte[64 * 1024 * 1024]);
        using var socket = await _listener.AcceptSocketAsync();
        await AnswerAsync(socket, Answer);
        Assert.Equal((SendOutcome.Answered, "ok"), await calling);
        Assert.Equal(0, _connections.Idle);
    }

    [Fact]
    public async Task A_refused_connection_is_told_from_others()
    {
        var refused = new ReplicaConnections(new Uri("http://127.0.0.1:1"), TimeSpan.FromSeconds(1), _descriptors, TimeProvider.System);
        using var call = refused.Take();
        call.Begin(HttpMethod.Get, "/");
        Assert.Equal(SendOutcome.Refused, await call.SendAsync(null));
    }

    [Fact]
    public async Task A_lost_replica_breaks_its_calls()
    {
        var calling = CallAsync();
        using var socket = await _listener.AcceptSocketAsync();
        Assert.True(await socket.ReceiveAsync(new byte[1024]) > 0); // the request was sent
        _connections.Close();
        Assert.Equal(SendOutcome.Broken, (await calling).Outcome);
    }

    [Fact]
    public async Task Idle_connections_are_closed_after_a_while()
    {
        var calling = CallAsync();
        using var socket = await _listener.AcceptSocketAsync();
        await AnswerAsync(socket, Answer);
        await calling;
        Assert.Equal(1, _connections.Trim(TimeSpan.FromSeconds(60)));
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(0, _connections.Trim(TimeSpan.FromSeconds(60)));
        Assert.Equal(0, await socket.ReceiveAsync(new byte[1])); // closed
    }

    private async Task<(SendOutcome Outcome, string Body)> CallAsync(byte[]? body = null)
    {
        using var call = _connections.Take();
        call.Begin(body is null ? HttpMethod.Get : HttpMethod.Post, "/mcp");
        call.AddHeader("Accept", "*/*");
        var outcome = await call.SendAsync(body);
        if (outcome is not SendOutcome.Answered)
            return (outcome, "");
        if (call.TryReadWhole(out var whole))
            return (outcome, Encoding.ASCII.GetString(whole.Span));
        var text = new StringBuilder();
        var buffer = new byte[16];
        int read;
        while ((read = await call.ReadAsync(buffer)) > 0)
            text.Append(Encoding.ASCII.GetString(buffer, 0, read));
        return (outcome, read == ReplicaCall.Broken ? "broken" : text.ToString());
    }

    private static async Task AnswerAsync(Socket socket, string answer)
    {
        var buffer = new byte[1024];
        Assert.True(await socket.ReceiveAsync(buffer) > 0);
        await socket.SendAsync(Encoding.ASCII.GetBytes(answer));
    }
}
