using FsCheck;
using FsCheck.Fluent;
using Mcp.HighAvailability.Protocol;

namespace McpHa.Tests.Journals;

public class SseEventIdTests
{
    private const long Most = 999_999_999_999_999_999;

    // Small numbers and the largest that can be written, more often than chance would have them.
    private static readonly Gen<long> Number = Gen.OneOf(
        Gen.Choose(1, 20).Select(number => (long)number),
        Gen.Select(Gen.Zip(Gen.Choose(0, 999_999_999), Gen.Choose(1, 999_999_999)), halves => (halves.Item1 * 1_000_000_000L) + halves.Item2),
        Gen.Elements(1L, 9, 10, Most));

    private static readonly Gen<BroadcastPosition?> Broadcast = Gen.OneOf(
        Gen.Constant((BroadcastPosition?)null),
        Gen.Constant((BroadcastPosition?)BroadcastPosition.None),
        Gen.Select(Gen.Zip(Number.Where(static number => number < 1L << 48), Number.Where(static number => number < 1L << 48)), static pair => (BroadcastPosition?)new(pair.Item1, pair.Item2)));

    private static readonly Gen<(char Kind, long Epoch, long Number, long Position, BroadcastPosition? Broadcast)> Issued =
        from kind in Gen.Elements(SseEventId.CallStream, SseEventId.GetStream)
        from epoch in Number
        from number in Number
        from position in Gen.OneOf(Gen.Constant(0L), Number)
        from broadcast in Broadcast
        select (kind, epoch, number, position, kind == SseEventId.GetStream ? broadcast : null);

    private static readonly Gen<string> IssuedText = Issued.Select(id => Write(id).ToString());

    [Fact]
    public void An_issued_id_is_read_as_what_it_was() => Prop.ForAll(Issued.ToArbitrary(), issued =>
    {
        var written = Write(issued);

        Assert.True(SseEventId.TryParse(written.ToString(), out var read));

        Assert.Equal(written, read);
        Assert.Equal(issued.Kind == SseEventId.CallStream, read.IsCall);
        Assert.Equal(issued.Epoch, read.Epoch);
    }).CheckSeeded();

    [Fact]
    public void Any_text_is_read_or_refused_and_what_is_read_is_exactly_what_was_written() =>
        Prop.ForAll<string>(text => AssertReadOrRefused(text ?? "")).CheckSeeded();

    [Fact]
    public void An_issued_id_with_a_change_is_another_one_or_refused()
    {
        var changed =
            from text in IssuedText
            from at in Gen.Choose(0, text.Length)
            from cut in Gen.Choose(0, text.Length - at)
            from put in Gen.Elements("", "0", "1", "x", "-", "c", "g", "+", " ", "\n", "٣", "\0", "00", "99999999999999999999")
            select text[..at] + put + text[(at + cut)..];
        Prop.ForAll(changed.ToArbitrary(), AssertReadOrRefused).CheckSeeded(2_000);
    }

    [Theory]
    [InlineData("")]
    [InlineData("c")]
    [InlineData("c1x1")]
    [InlineData("c1x1-")]
    [InlineData("-c1x1")]
    [InlineData("c0x1-1")]
    [InlineData("c1x0-1")]
    [InlineData("c01x1-1")]
    [InlineData("c1x1-01")]
    [InlineData("c1x1--1")]
    [InlineData("c1x1-1-1")]
    [InlineData("g1x1-1-")]
    [InlineData("g1x1-1-00")]
    [InlineData("g1x1-1-5")]
    [InlineData("g1x1-1-0.5")]
    [InlineData("g1x1-1-05.5")]
    [InlineData("g1x1-1-A.5")]
    [InlineData("g1x1-1-a.05")]
    [InlineData("g1x1-1-a.-5")]
    [InlineData("g1x1-1-a.5.6")]
    [InlineData("g1x1-1-a.5-6")]
    [InlineData("g1x1-1-ffffffffffffffff.1")]
    [InlineData("C1x1-1")]
    [InlineData("s1x1-1")]
    [InlineData("w-1")]
    [InlineData("c1x1-1000000000000000000")]
    [InlineData(" c1x1-1")]
    [InlineData("c1x1-1 ")]
    public void What_was_never_issued_is_refused(string text)
    {
        Assert.False(SseEventId.TryParse(text, out var id));
        Assert.Equal(default, id);
    }

    private static SseEventId Write((char Kind, long Epoch, long Number, long Position, BroadcastPosition? Broadcast) id) =>
        new(SseEventId.NameStream(id.Kind, id.Epoch, id.Number), id.Position, id.Broadcast);

    private static void AssertReadOrRefused(string text)
    {
        if (!SseEventId.TryParse(text, out var id))
        {
            Assert.Equal(default, id);
            return;
        }

        Assert.Equal(text, id.ToString());
        Assert.True(id.Epoch >= 1);
        Assert.True(id.Position >= 0);
    }
}
