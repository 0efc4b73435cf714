using System.Collections.Concurrent;
using System.Threading.Channels;
using Mcp.HighAvailability.Storage;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>What every <see cref="IEventBus"/> does.</summary>
public abstract class EventBusContract
{
    /// <summary>Two members of one cluster; in memory they may be the same.</summary>
    protected abstract (IEventBus One, IEventBus Other) Members();

    [Fact]
    public async Task A_message_reaches_every_subscriber_of_every_member_once()
    {
        var (one, other) = Members();
        var topic = NewId();
        var (own, second, remote) = (new Inbox(), new Inbox(), new Inbox());
        await using var a = await one.SubscribeAsync(topic, own.TakeAsync);
        await using var b = await one.SubscribeAsync(topic, second.TakeAsync);
        await using var c = await other.SubscribeAsync(topic, remote.TakeAsync);

        await one.PublishAsync(topic, Utf8("hello"));
        await one.PublishAsync(topic, Utf8("last"));

        foreach (var inbox in new[] { own, second, remote })
            Assert.Equal(["hello", "last"], new[] { await inbox.NextAsync(), await inbox.NextAsync() }.Order());
        Assert.All([own, second, remote], inbox => Assert.True(inbox.IsEmpty));
    }

    [Fact]
    public async Task Topics_are_apart_and_taken_literally()
    {
        var (one, other) = Members();
        var topic = NewId();
        var (exact, pattern) = (new Inbox(), new Inbox());
        await using var a = await other.SubscribeAsync(topic, exact.TakeAsync);
        await using var b = await other.SubscribeAsync(topic[..4] + "*", pattern.TakeAsync);

        await one.PublishAsync(topic + "x", Utf8("other topic"));
        await one.PublishAsync(topic[..4] + "*", Utf8("literal"));
        await one.PublishAsync(topic, Utf8("mine"));

        Assert.Equal("mine", await exact.NextAsync());
        Assert.Equal("literal", await pattern.NextAsync());
        Assert.True(exact.IsEmpty && pattern.IsEmpty);
    }

    [Fact]
    public async Task Payloads_may_be_any_bytes_and_buffers_may_be_used_again()
    {
        var (one, other) = Members();
        var topic = NewId();
        var received = new ConcurrentQueue<byte[]>();
        await using var a = await other.SubscribeAsync(topic, payload =>
        {
            received.Enqueue(payload.ToArray());
            return default;
        });
        var bytes = Enumerable.Range(0, 256).Select(n => (byte)n).ToArray();
        var buffer = bytes.ToArray();

        await one.PublishAsync(topic, buffer);
        Array.Clear(buffer);
        await one.PublishAsync(topic, ReadOnlyMemory<byte>.Empty);

        await Wait.UntilAsync(() => received.Count == 2, "both messages");
        Assert.Equal([[], bytes], received.OrderBy(payload => payload.Length));
    }

    [Fact]
    public async Task A_handler_is_called_for_one_message_at_a_time()
    {
        var (one, other) = Members();
        var topic = NewId();
        var (running, most, calls) = (0, 0, 0);
        await using var a = await other.SubscribeAsync(topic, async _ =>
        {
            most = Math.Max(most, Interlocked.Increment(ref running));
            await Task.Yield();
            Interlocked.Decrement(ref running);
            Interlocked.Increment(ref calls);
        });

        await Task.WhenAll(Enumerable.Range(0, 200).Select(async _ => await one.PublishAsync(topic, Utf8("x"))));

        await Wait.UntilAsync(() => Volatile.Read(ref calls) == 200, "200 calls");
        Assert.Equal(1, most);
    }

    [Fact]
    public async Task Messages_of_one_publisher_keep_their_order()
    {
        var (one, other) = Members();
        var topic = NewId();
        var received = new List<string>();
        await using var a = await other.SubscribeAsync(topic, payload =>
        {
            lock (received)
                received.Add(Text(payload));
            return ValueTask.CompletedTask;
        });
        var sent = Enumerable.Range(0, 5_000).Select(number => $"{number}").ToArray();

        foreach (var message in sent)
            await one.PublishAsync(topic, Utf8(message));

        await Wait.UntilAsync(
            () =>
            {
                lock (received)
                    return received.Count == sent.Length;
            },
            "all messages");
        Assert.Equal(sent, received);
    }

    [Fact]
    public async Task A_handler_that_fails_loses_its_message_only()
    {
        var (one, other) = Members();
        var topic = NewId();
        var inbox = new Inbox();
        await using var a = await other.SubscribeAsync(topic, payload =>
            Text(payload) == "bad" ? throw new InvalidOperationException("bad message") : inbox.TakeAsync(payload));

        await one.PublishAsync(topic, Utf8("bad"));
        await one.PublishAsync(topic, Utf8("good"));

        Assert.Equal("good", await inbox.NextAsync());
    }

    [Fact]
    public async Task After_its_end_a_subscription_is_not_called_and_others_still_are()
    {
        var (one, other) = Members();
        var topic = NewId();
        var (ended, kept) = (new Inbox(), new Inbox());
        var subscription = await other.SubscribeAsync(topic, ended.TakeAsync);
        await using var b = await other.SubscribeAsync(topic, kept.TakeAsync);

        await subscription.DisposeAsync();
        await subscription.DisposeAsync();
        await one.PublishAsync(topic, Utf8("after"));

        Assert.Equal("after", await kept.NextAsync());
        Assert.True(ended.IsEmpty);
    }

    [Fact]
    public async Task A_handler_may_end_its_own_subscription()
    {
        var (one, other) = Members();
        var topic = NewId();
        var inbox = new Inbox();
        IAsyncDisposable? subscription = null;
        subscription = await other.SubscribeAsync(topic, async payload =>
        {
            await subscription!.DisposeAsync();
            await inbox.TakeAsync(payload);
        });

        await one.PublishAsync(topic, Utf8("first"));
        Assert.Equal("first", await inbox.NextAsync());

        await one.PublishAsync(topic, Utf8("second"));
        Assert.True(inbox.IsEmpty);
    }

    protected sealed class Inbox
    {
        private readonly Channel<string> _messages = Channel.CreateUnbounded<string>();

        public bool IsEmpty => !_messages.Reader.TryPeek(out _);

        public ValueTask TakeAsync(ReadOnlyMemory<byte> payload) => _messages.Writer.WriteAsync(Text(payload));

        public async Task<string> NextAsync() => await _messages.Reader.ReadAsync().AsTask().WaitAsync(Wait.Limit);
    }
}
