using System.Globalization;
using System.Net;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Mcp.HighAvailability.Relay.Upstream;
using Microsoft.AspNetCore.Http;

namespace McpHa.Tests.Relays;

public class ResponseFuzzTests
{
    private const int Many = 1_000;

    internal static readonly Gen<string> Pieces = Gen.Elements(
        "HTTP/1.1 200 OK\r\n", "HTTP/1.0 404 \r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/2 200\r\n", "Content-Length: 3\r\n", "Content-Length: -1\r\n", "Content-Length: 3, 3\r\n",
        "content-length: 99999999999999999999\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Connection: close\r\n", "X: a\nb\r\n", " folded\r\n",
        "X : 1\r\n", "X: é\r\n", ": none\r\n", "\r\n", "\n", "\r", "3\r\nabc\r\n", "0\r\n\r\n", "0\r\nT: 1\r\n\r\n", "ffffffff\r\n", "3;x=y\r\nabc\r\n", "abc", "\0", "g\r\n", "3\nabc");

    [Fact]
    public void Any_bytes_cut_at_any_byte_give_the_same_response_or_none()
    {
        Prop.ForAll(Gen.Select(Pieces.ListOf(), string.Concat).ToArbitrary(), text =>
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            var whole = Read(bytes, bytes.Length, 64);
            Assert.Equal(whole, Read(bytes, 1, 64));
            Assert.Equal(whole, Read(bytes, 3, 1));
        }).CheckSeeded(Many);
    }

    [Fact]
    public void A_chunked_body_is_read_as_it_was_written_and_ends_where_it_ends()
    {
        var chunks = Gen.Select(Gen.Elements("a", "bc", new string('x', 17), "\r\n0\r\n\r\n", "é").ListOf(), list => list.ToArray());
        Prop.ForAll(chunks.ToArbitrary(), list =>
        {
            var text = string.Concat(list.Select(chunk => $"{Encoding.UTF8.GetByteCount(chunk).ToString("x", CultureInfo.InvariantCulture)}\r\n{chunk}\r\n")) + "0\r\n\r\n";
            var bytes = Encoding.UTF8.GetBytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + text + "next");
            var read = Read(bytes, 5, 7);
            Assert.Equal((200, string.Concat(list), "whole", 4), read);
        }).CheckSeeded(Many);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nX: a\nContent-Length: 3\r\n\r\n")]
    [InlineData("HTTP/1.1 099 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 2000\r\n\r\n")]
    [InlineData("HTTP/2.0 200 OK\r\n\r\n")]
    [InlineData("\r\n\r\n")]
    public void A_head_that_could_be_read_in_two_ways_is_refused(string head) =>
        Assert.Equal(HeadReading.Malformed, new ResponseHead().TryRead(Encoding.ASCII.GetBytes(head), out _));

    [Fact]
    public void A_head_is_bounded_in_bytes_and_fields()
    {
        var fields = string.Concat(Enumerable.Range(0, ResponseHead.MaxFields + 1).Select(_ => "X: 1\r\n"));
        Assert.Equal(HeadReading.Malformed, new ResponseHead().TryRead(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\n{fields}\r\n"), out _));
        Assert.Equal(HeadReading.Malformed, new ResponseHead().TryRead(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nX: {new string('x', ResponseHead.MaxBytes)}"), out _));
    }

    [Fact]
    public void A_connection_reads_each_head_by_itself_although_it_keeps_strings()
    {
        var fields = Gen.Elements("A: 1", "A: 2", "B: 1", "Content-Length: 4", "Connection: close", "A: 1 2").ListOf();
        Prop.ForAll(fields.ListOf().ToArbitrary(), heads =>
        {
            var one = new ResponseHead();
            foreach (var head in heads)
            {
                var bytes = Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\n{string.Concat(head.Select(field => field + "\r\n"))}\r\n");
                var other = new ResponseHead();
                Assert.Equal(other.TryRead(bytes, out _), one.TryRead(bytes, out _));
                Assert.Equal((other.ContentLength, other.KeepsConnection, other.Find("A"), other.Find("B")), (one.ContentLength, one.KeepsConnection, one.Find("A"), one.Find("B")));
            }
        }).CheckSeeded(Many);
    }

    [Fact]
    public void What_a_client_sends_never_adds_a_line_to_a_request()
    {
        var text = Gen.Select(Gen.Elements("a", " ", "\r\n", "\n", "\0", "é", "X: 1", "/", "%", "HTTP/1.1").ListOf(), string.Concat);
        Prop.ForAll(Gen.Zip(text, text).ToArbitrary(), pair =>
        {
            var request = default(RequestHead);
            request.Begin("POST", pair.Item1, "host:1");
            request.Add("Name", pair.Item2);
            request.End(3);
            var lines = Encoding.UTF8.GetString(request.Written.Span).Split("\r\n");
            Assert.Equal(pair.Item2.IndexOfAny(['\r', '\n', '\0']) < 0 ? 6 : 5, lines.Length);
            Assert.Equal(["POST", "HTTP/1.1"], [lines[0].Split(' ')[0], lines[0].Split(' ')[2]]);
            Assert.DoesNotContain('\n', string.Concat(lines));
            request.Release();
        }).CheckSeeded(Many);
    }

    [Fact]
    public void A_repeated_header_reaches_the_client_with_all_its_values_and_those_of_the_connection_do_not()
    {
        var head = new ResponseHead();
        Assert.Equal(HeadReading.Whole, head.TryRead("HTTP/1.1 200 OK\r\nVary: a\r\nConnection: X-Hop\r\nX-Hop: 1\r\nVary: b\r\nMcp-Ha-Owner: r\r\n\r\n"u8, out _));
        var to = new HeaderDictionary();
        head.CopyTo(to);
        Assert.Equal("a,b", to["Vary"].ToString());
        Assert.Single(to);
        Assert.False(head.KeepsConnection);
    }

    // Status, body, how it ended, bytes left over.
    private static (int Status, string Body, string End, int Left) Read(byte[] bytes, int step, int room)
    {
        var head = new ResponseHead();
        var arrived = 0;
        int length;
        while (true)
        {
            arrived = Math.Min(bytes.Length, arrived + step);
            switch (head.TryRead(bytes.AsSpan(0, arrived), out length))
            {
                case HeadReading.Malformed:
                    return (0, "", "malformed", 0);
                case HeadReading.Incomplete when arrived == bytes.Length:
                    return (0, "", "incomplete", 0);
                case HeadReading.Incomplete:
                    continue;
            }

            break;
        }

        var body = head.IsChunked ? ResponseBody.Chunked : ResponseBody.OfLength(head.ContentLength ?? 0);
        var content = new List<byte>();
        var at = length;
        var buffer = new byte[room];
        while (!body.IsDone && !body.IsMalformed && at < bytes.Length)
        {
            arrived = Math.Min(bytes.Length, Math.Max(arrived, at) + step);
            var read = body.Read(bytes.AsSpan(at, arrived - at), buffer, out var consumed);
            Assert.True(consumed > 0);
            content.AddRange(buffer.AsSpan(0, read));
            at += consumed;
        }

        return (head.Status, Encoding.UTF8.GetString([.. content]), body.IsDone ? "whole" : body.IsMalformed ? "malformed" : "incomplete", body.IsMalformed ? 0 : bytes.Length - at);
    }
}
