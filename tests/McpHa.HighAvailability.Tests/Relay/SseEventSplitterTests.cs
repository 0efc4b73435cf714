using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Mcp.HighAvailability.Relay;

namespace McpHa.Tests.Relays;

public class SseEventSplitterTests
{
    private sealed record Read(string Text, string Id, bool HasData, bool IsComment);

    [Fact]
    public void Any_stream_cut_at_any_byte_gives_the_same_events()
    {
        var line = Gen.Elements("data: x", "data:{\"a\":1}", "data", "data: ", "id: s-1", "id:s-22", "id", "id: a\0b", "retry: 5", "event: message", ": comment", ":", "dat", "data: é", "");
        var end = Gen.Elements("\n", "\n", "\r\n", "\r");
        var stream = Gen.Select(Gen.Zip(line, end).ListOf(), lines => string.Concat(lines.Select(pair => pair.Item1 + pair.Item2)));

        Prop.ForAll(stream.ToArbitrary(), text =>
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            var whole = Reference(text);
            Assert.Equal(whole, Cut(bytes, bytes.Length));
            for (var cut = 0; cut <= bytes.Length; cut++)
                Assert.Equal(whole, Cut(bytes, cut));

            Assert.Equal(whole, Cut(bytes, [.. Enumerable.Range(0, bytes.Length)])); // byte by byte
        }).CheckSeeded();
    }

    [Fact]
    public void An_event_comes_out_with_its_last_byte_and_not_before()
    {
        using var splitter = new SseEventSplitter(1 << 20);
        foreach (var b in "id: s-1\ndata: x\n"u8)
        {
            Put(splitter, [b]);
            Assert.False(splitter.TryRead(out _));
        }

        Put(splitter, "\n"u8);
        Assert.True(splitter.TryRead(out var whole));
        Assert.Equal("id: s-1\ndata: x\n\n", Encoding.UTF8.GetString(whole.Bytes.Span));
        Assert.Equal("s-1", Encoding.UTF8.GetString(whole.Id.Span));
    }

    [Fact]
    public void A_byte_order_mark_at_the_start_is_not_part_of_the_first_line()
    {
        byte[] stream = [0xEF, 0xBB, 0xBF, .. "data: x\n\n"u8];
        for (var cut = 0; cut <= stream.Length; cut++)
            Assert.Equal([new Read("data: x\n\n", "", true, false)], Cut(stream, cut));
    }

    [Fact]
    public void A_large_event_passes_whole_and_a_larger_one_is_refused()
    {
        var data = Encoding.UTF8.GetBytes("data: " + new string('x', 100_000) + "\n\n");
        Assert.Equal(data.Length, Assert.Single(Cut(data, 50_000)).Text.Length);

        using var splitter = new SseEventSplitter(10_000);
        Assert.Throws<InvalidDataException>(() => Put(splitter, data));
    }

    // Written from the standard's grammar, over the whole text at once.
    private static List<Read> Reference(string text)
    {
        var lines = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n').Split('\n');
        List<Read> events = [];
        List<string> block = [];
        foreach (var line in lines[..^1]) // what follows the last line end is no line yet
        {
            if (line.Length > 0)
            {
                block.Add(line);
                continue;
            }

            if (block.Count > 0)
            {
                var fields = block.Where(l => l[0] != ':').Select(l => l.Split(':', 2)).ToList();
                var id = fields.Where(f => f[0] == "id").Select(f => f.Length == 1 ? "" : f[1].StartsWith(' ') ? f[1][1..] : f[1]).LastOrDefault(v => !v.Contains('\0'), "");
                events.Add(new Read(string.Concat(block.Select(l => l + "\n")) + "\n", id, fields.Any(f => f[0] == "data" && f.Length == 2 && f[1].TrimStart(' ').Length > 0), fields.Count == 0));
            }

            block.Clear();
        }

        return events;
    }

    private static List<Read> Cut(byte[] stream, params int[] cuts)
    {
        using var splitter = new SseEventSplitter(1 << 20);
        List<Read> events = [];
        var from = 0;
        foreach (var to in cuts.Append(stream.Length))
        {
            Put(splitter, stream.AsSpan(from, to - from));
            from = to;
            while (splitter.TryRead(out var whole))
                events.Add(new Read(Encoding.UTF8.GetString(whole.Bytes.Span), Encoding.UTF8.GetString(whole.Id.Span), whole.HasData, whole.IsComment));
        }

        return events;
    }

    private static void Put(SseEventSplitter splitter, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var room = splitter.GetMemory();
            var count = Math.Min(room.Length, bytes.Length);
            bytes[..count].CopyTo(room.Span);
            splitter.Advance(count);
            bytes = bytes[count..];
        }
    }
}
