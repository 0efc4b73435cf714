using System.Net;
using System.Net.Sockets;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests.Cluster;

/// <summary>Pings between processes: answered by a thread of their own, and by the replica that is meant alone.</summary>
public sealed class PingSocketTests : IDisposable
{
    private static readonly TimeSpan MaxLag = TimeSpan.FromSeconds(12);
    private readonly PingSocket _asking = Socket();
    private readonly PingSocket _replica;
    private volatile bool _storeAway;
    private volatile bool _answeredOnPool;
    private volatile int _looks;
    private TimeSpan _lag;

    public PingSocketTests() => _replica = new(
        TimeProvider.System,
        () => _storeAway,
        () =>
        {
            _answeredOnPool |= Thread.CurrentThread.IsThreadPoolThread;
            var lag = _lag;
            _looks++;
            return lag;
        },
        MaxLag,
        NullLogger.Instance);

    public void Dispose()
    {
        _asking.Dispose();
        _replica.Dispose();
    }

    [Fact]
    public void A_replica_answers_and_says_whether_its_store_is_away()
    {
        var info = Listen(Info("a", "secret"));
        var first = Ask(info);
        Assert.Equal((false, 1), (first.StoreAway, first.Count));

        _storeAway = true;
        Assert.True(Ask(info).StoreAway);
    }

    [Fact]
    public void It_listens_at_the_port_of_its_address_or_at_another_one_when_that_is_taken()
    {
        using var taken = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var port = ((IPEndPoint)taken.Client.LocalEndPoint!).Port;
        var info = Info("a", "secret") with { Address = new Uri($"http://127.0.0.1:{port}") };
        var other = Listen(info);
        Assert.NotEqual(port, other.PingPort);
        Assert.Equal(1, Ask(other).Count);

        taken.Dispose();
        using var next = Socket();
        Assert.Equal(port, next.Listen(info));
    }

    [Fact]
    public void Only_the_replica_that_is_meant_answers_and_only_those_who_know_its_key()
    {
        var info = Listen(Info("a", "secret"));
        _asking.Ask(info with { Id = "b" }); // another replica was at this port
        using var stranger = Socket();
        var forged = info with { HopKey = "guessed" };
        stranger.Ask(forged);

        // Datagrams are handled in their order, so those before are done when these are answered.
        Assert.Equal(1, Ask(info).Count);
        Assert.Equal(0, _asking.Last("b").Count);
        Assert.Equal(0, stranger.Last("a").Count);
    }

    [Fact]
    public void What_is_no_ping_is_passed_over()
    {
        var info = Listen(Info("a", "secret"));
        using var client = new UdpClient(AddressFamily.InterNetwork);
        var to = new IPEndPoint(IPAddress.Loopback, info.PingPort);
        foreach (var length in (int[])[0, 1, PingMessage.Length - 1, PingMessage.Length, PingMessage.Length + 1, 9000])
            client.Send(new byte[length], to);
        client.Send([.. "MHA1"u8, .. new byte[PingMessage.Length - 4]], to);
        Assert.Equal(1, Ask(info).Count);
    }

    [Fact]
    public void A_thread_of_its_own_answers_and_says_whether_the_thread_pool_is_late()
    {
        var info = Listen(Info("a", "secret"));
        Assert.False(Ask(info).Starved);
        Assert.False(_answeredOnPool);

        _lag = PingSocket.StarvedFrom;
        Assert.True(Ask(info).Starved);

        // A pool that serves nothing any more: nothing is answered until it does again.
        _lag = MaxLag;
        var (answers, looks) = (_asking.Last("a").Count, _looks);
        _asking.Ask(info);
        Assert.True(SpinWait.SpinUntil(() => _looks > looks, Wait.Limit));
        _lag = TimeSpan.Zero;
        Assert.Equal(answers + 1, Ask(info).Count);
    }

    [Fact]
    public void The_lag_of_the_thread_pool_is_how_long_a_work_item_waits()
    {
        var time = new FakeTimeProvider();
        var queue = new Queue<IThreadPoolWorkItem>();
        var pool = new PoolLag(time, queue.Enqueue);
        Assert.Equal(TimeSpan.Zero, pool.Look());
        time.Advance(TimeSpan.FromMilliseconds(70));
        Assert.Equal(TimeSpan.FromMilliseconds(70), pool.Look());
        time.Advance(TimeSpan.FromMilliseconds(10));
        Assert.Single(queue);

        queue.Dequeue().Execute();
        Assert.Equal(TimeSpan.FromMilliseconds(80), pool.Look()); // the last one counts while it is new
        Assert.Single(queue);
        queue.Dequeue().Execute();
        Assert.Equal(TimeSpan.Zero, pool.Look());
    }

    [Fact]
    public void A_message_that_was_changed_is_not_signed()
    {
        var key = PingMessage.KeyOf("secret");
        var datagram = new byte[PingMessage.Length];
        var message = new PingMessage(PingKind.Answer, 1, 2, 3, Starved: true);
        message.Write(datagram, key);
        Assert.Equal(message, PingMessage.Read(datagram));
        Assert.True(PingMessage.IsSigned(datagram, key));
        for (var at = 0; at < datagram.Length; at++)
        {
            datagram[at] ^= 1;
            Assert.False(PingMessage.IsSigned(datagram, key));
            datagram[at] ^= 1;
        }
    }

    private static PingSocket Socket() => new(TimeProvider.System, () => false, () => TimeSpan.Zero, MaxLag, NullLogger.Instance);

    private static ReplicaInfo Info(string id, string key) => FixedRegistry.Info(id, new Uri("http://127.0.0.1:0")) with { HopKey = key };

    private ReplicaInfo Listen(ReplicaInfo info)
    {
        var port = _replica.Listen(info);
        Assert.NotEqual(0, port);
        return info with { PingPort = port };
    }

    // A datagram may be lost, also on this machine: asked again until there is an answer.
    private Pong Ask(ReplicaInfo info)
    {
        var before = _asking.Last(info.Id).Count;
        Assert.True(
            SpinWait.SpinUntil(
                () =>
                {
                    _asking.Ask(info);
                    return SpinWait.SpinUntil(() => _asking.Last(info.Id).Count > before, TimeSpan.FromSeconds(5));
                },
                Wait.Limit),
            "No answer.");
        return _asking.Last(info.Id);
    }
}
