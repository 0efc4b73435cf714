using System.Net;
using System.Net.Sockets;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Relay.Upstream;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests.Relays;

/// <summary>Any bytes on a real connection, and the call that follows on the same one or on another.</summary>
public class ConnectionFuzzTests
{
    private const int Slice = 1_000;
    private const int MaxInformational = 8;
    private const string Clean = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean";

    private static readonly Gen<string> Responses = Gen.Elements(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 \r\n\r\n",
        "HTTP/1.1 304 \r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: 1\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200 OK\r\n\r\nabc",
        $"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n{new string('x', 10_000)}",
        $"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2710\r\n{new string('x', 10_000)}\r\n0\r\n\r\n");

    private static readonly Gen<string> Garbage = Gen.Select(ResponseFuzzTests.Pieces.ListOf(), string.Concat);

    private static readonly Gen<string> Texts = Gen.Frequency(
        (3, Responses),
        (2, Garbage),
        (2, Gen.Select(Gen.Zip(Responses, ResponseFuzzTests.Pieces), pair => pair.Item1 + pair.Item2)),
        (1, Gen.Select(Gen.Zip(Responses, Responses), pair => pair.Item1 + pair.Item2)),
        (3, from text in Responses
            from at in Gen.Choose(0, text.Length)
            from cut in Gen.Choose(0, Math.Min(4, text.Length - at))
            from put in Gen.OneOf(Gen.Constant(""), ResponseFuzzTests.Pieces)
            select text[..at] + put + text[(at + cut)..]));

    private static readonly Gen<Case> Cases =
        from text in Texts
        from cuts in Gen.Choose(0, text.Length).ListOf()
        from reading in Gen.Elements(Enum.GetValues<Reading>())
        from isHead in Gen.Frequency((7, Gen.Constant(false)), (1, Gen.Constant(true)))
        select new Case(text, [.. cuts], reading, isHead);

    private enum Reading
    {
        Whole,
        InPieces,
        ByteByByte,
        Waiting,

        /// <summary>The body is not read.</summary>
        Not,
    }

    [Theory]
    [InlineData(500)]
    [InlineData(50_000, Explicit = true)]
    public void A_call_never_gets_what_is_left_of_the_one_before(int cases)
    {
        for (var slice = 0; slice * Slice < cases; slice++)
        {
            // A port of its own: connections that were closed keep theirs for a while.
            using var replica = new TcpListener(IPAddress.Loopback, 0);
            replica.Start();
            Prop.ForAll(Cases.ToArbitrary(), next => RunAsync(replica, next).WaitAsync(Wait.Limit * 2).GetAwaiter().GetResult())
                .CheckSeeded(Math.Min(Slice, cases - (slice * Slice)), slice);
        }
    }

    private static async Task RunAsync(TcpListener replica, Case next)
    {
        var connections = new ReplicaConnections(
            new Uri($"http://127.0.0.1:{((IPEndPoint)replica.LocalEndpoint).Port}"),
            Wait.Limit, new Descriptors(NullLogger<Descriptors>.Instance), new FakeTimeProvider());
        var expected = Read(next);
        var first = connections.Take();
        var calling = CallAsync(first, next.IsHead ? HttpMethod.Head : HttpMethod.Get, next.Reading);
        using var socket = await replica.AcceptSocketAsync();
        await SendAsync(socket, next, end: !expected.IsOver);
        Assert.Equal((expected.Outcome, next.Reading == Reading.Not ? null : expected.Body), await calling);
        first.Dispose();

        // Surplus bytes may arrive after the response was read to its end.
        var reuses = expected is { Body: not null, Surplus: 0, KeepsConnection: true } && (next.Reading != Reading.Not || expected.HasNoBody);
        if (!reuses)
            await Wait.UntilAsync(() => !first.IsUsable, "the connection to be useless");
        var second = connections.Take();
        Assert.Equal(reuses, second == first);

        calling = CallAsync(second, HttpMethod.Get, Reading.InPieces);
        using var other = reuses ? null : await replica.AcceptSocketAsync();
        await SendAsync(other ?? socket, new(Clean, [], Reading.InPieces, false), end: false);
        Assert.Equal((SendOutcome.Answered, "clean"), await calling);
        second.Dispose();
        Assert.Equal(1, connections.Idle);
        connections.Close();
    }

    private static async Task<(SendOutcome Outcome, string? Body)> CallAsync(ReplicaConnection call, HttpMethod method, Reading reading)
    {
        call.Begin(method, "/mcp");
        var outcome = await call.SendAsync(null);
        if (outcome is not SendOutcome.Answered || reading == Reading.Not)
            return (outcome, null);
        if (reading == Reading.Whole && call.TryReadWhole(out var whole))
            return (outcome, Encoding.Latin1.GetString(whole.Span));
        var body = new StringBuilder();
        var buffer = new byte[reading == Reading.ByteByByte ? 1 : 64];
        while (true)
        {
            if (reading == Reading.Waiting)
                await call.WaitAsync();
            switch (await call.ReadAsync(buffer))
            {
                case ReplicaCall.Broken:
                    return (outcome, null);
                case 0:
                    return (outcome, body.ToString());
                case var read:
                    body.Append(Encoding.Latin1.GetString(buffer, 0, read));
                    break;
            }
        }
    }

    private static async Task SendAsync(Socket socket, Case next, bool end)
    {
        var request = new StringBuilder();
        var buffer = new byte[1024];
        while (!request.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            var read = await socket.ReceiveAsync(buffer);
            Assert.True(read > 0, "the connection has ended before the request");
            request.Append(Encoding.ASCII.GetString(buffer, 0, read));
        }

        try
        {
            var at = 0;
            foreach (var cut in next.Cuts.Append(next.Bytes.Length).Order())
            {
                await socket.SendAsync(next.Bytes.AsMemory(at..cut));
                at = cut;
            }

            if (end)
                socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // The relay has closed the connection: it has seen enough.
        }
    }

    // What all the bytes at once say.
    private static Expected Read(Case next)
    {
        ReadOnlySpan<byte> bytes = next.Bytes;
        var broken = new Expected(SendOutcome.Broken, null, 0, false, false, IsOver: true);
        var head = new ResponseHead();
        for (var informational = 0; ;)
        {
            switch (head.TryRead(bytes, out var length))
            {
                case HeadReading.Incomplete:
                    return broken with { IsOver = false };
                case HeadReading.Malformed:
                    return broken;
            }

            bytes = bytes[length..];
            if (head.Status >= StatusCodes.Status200OK)
                break;
            if (head.Status == StatusCodes.Status101SwitchingProtocols || ++informational > MaxInformational)
                return broken;
        }

        ResponseBody body;
        if (next.IsHead || head.Status is StatusCodes.Status204NoContent or StatusCodes.Status304NotModified)
            body = ResponseBody.None;
        else if (head.ContentLength is { } contentLength)
            body = ResponseBody.OfLength(contentLength);
        else if (head.IsChunked)
            body = ResponseBody.Chunked;
        else
            return broken;

        var hasNoBody = body.IsDone;
        var content = new byte[bytes.Length];
        var read = body.Read(bytes, content, out var consumed);
        return new(
            SendOutcome.Answered, body.IsDone ? Encoding.Latin1.GetString(content, 0, read) : null, body.IsDone ? bytes.Length - consumed : 0,
            head.KeepsConnection, hasNoBody, IsOver: body.IsDone || body.IsMalformed);
    }

    private sealed record Case(string Text, int[] Cuts, Reading Reading, bool IsHead)
    {
        public byte[] Bytes { get; } = Encoding.Latin1.GetBytes(Text);
    }

    /// <param name="Outcome">How the request ends.</param>
    /// <param name="Body">The body; <see langword="null"/>: it is not whole.</param>
    /// <param name="Surplus">Bytes behind the response.</param>
    /// <param name="KeepsConnection">The response does not end the connection.</param>
    /// <param name="HasNoBody">The response ends with its head.</param>
    /// <param name="IsOver">No more bytes are needed to tell.</param>
    private sealed record Expected(SendOutcome Outcome, string? Body, long Surplus, bool KeepsConnection, bool HasNoBody, bool IsOver);
}
