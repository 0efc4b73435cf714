using System.Text;
using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Bench.Streams;

namespace McpHa.Tests;

/// <summary>How <c>bench</c> reads answers and events.</summary>
public sealed class BenchLoadTests
{
    [Fact]
    public void An_answer_with_a_length_is_complete_when_all_of_it_is_there()
    {
        var head = Head("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length: 5\r\n\r\n");

        Assert.Equal(new AnswerHead(200, 5, false), head);
        Assert.False(head.IsComplete("1234"u8));
        Assert.True(head.IsComplete("12345"u8));
    }

    [Fact]
    public void An_answer_in_chunks_is_complete_with_the_empty_chunk()
    {
        var head = Head("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");

        Assert.Equal(new AnswerHead(404, -1, true), head);
        Assert.False(head.IsComplete("5\r\nhello\r\n"u8));
        Assert.True(head.IsComplete("5\r\nhello\r\n0\r\n\r\n"u8));
    }

    [Fact]
    public void A_head_that_is_not_complete_is_waited_for() =>
        Assert.False(AnswerHead.TryParse("HTTP/1.1 200 OK\r\nContent-Le"u8, out _, out _));

    [Fact]
    public void A_request_keeps_its_length_and_carries_its_number()
    {
        var request = new CallRequest(new Uri("http://127.0.0.1:5000/mcp"), "s1", "echo");

        var text = Encoding.ASCII.GetString(request.With(1_234_567_890));

        Assert.Contains("\"id\":1234567890,", text, StringComparison.Ordinal);
        Assert.Contains("\"hello 1234567890\"", text, StringComparison.Ordinal);
        Assert.Contains("Mcp-Session-Id: s1\r\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Lost_and_doubled_events_are_counted()
    {
        Assert.Equal((0, 0), Gaps(1, 2, 3));
        Assert.Equal((1, 0), Gaps(1, 3));
        Assert.Equal((0, 1), Gaps(1, 2, 2, 3));
        Assert.Equal((0, 1), Gaps(2, 1, 3));

        static (int Lost, int Doubled) Gaps(params int[] numbers) => Broadcasts.Gaps([.. numbers.Select(number => new Arrival(number, 0))], count: 3);
    }

    [Fact]
    public void A_counter_is_summed_over_its_labels()
    {
        const string Text = """
            # TYPE mcp_ha_takeovers_total counter
            mcp_ha_takeovers_total{mcp_ha_reason="owner-lost"} 3 1700000000000
            mcp_ha_takeovers_total{mcp_ha_reason="handed-over"} 4
            mcp_ha_takeover_duration_seconds_count 9
            """;

        Assert.Equal(7, Counters.Sum(Text, "mcp_ha_takeovers"));
        Assert.Equal(0, Counters.Sum(Text, "mcp_ha_relay_failures"));
    }

    private static AnswerHead Head(string text)
    {
        Assert.True(AnswerHead.TryParse(Encoding.ASCII.GetBytes(text), out var head, out var length));
        Assert.Equal(text.Length, length);
        return head;
    }
}
