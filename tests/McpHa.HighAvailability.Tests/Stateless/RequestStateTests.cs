using System.Text.Json.Nodes;
using McpHa.HighAvailability;
using McpHa.HighAvailability.Sessions;
using McpHa.HighAvailability.Stateless;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>What handlers put into <c>requestState</c>: every replica reads it, nobody else reads, changes or makes it.</summary>
public sealed class RequestStateTests
{
    private readonly SettableTime _time = new();
    private readonly KeyStore _store = new();

    [Fact]
    public async Task What_one_replica_protects_another_one_opens()
    {
        var text = await Replica().ProtectAsync("step 2 – Ann", "tools/call\nask\n", default);

        Assert.Equal("step 2 – Ann", await Replica().OpenAsync(text, "tools/call\nask\n", default));
        Assert.DoesNotContain("Ann", text, StringComparison.Ordinal);
        Assert.Matches("^[A-Za-z0-9_-]+$", text);
    }

    [Theory]
    [InlineData("zzzzzzzzzz-00000000", 32)]
    [InlineData("", 32)]
    [InlineData("ffffffffff-00000000", 32)]
    [InlineData("-", 32)]
    [InlineData("0000000001-00000000", 31)]
    public async Task A_key_that_is_none_is_never_used_and_keys_do_not_multiply_for_it(string id, int length)
    {
        await _store.ShareAsync(new Dictionary<string, ReadOnlyMemory<byte>> { [id] = new byte[length] });
        for (var i = 0; i < 5; i++)
        {
            var text = await Replica().ProtectAsync("state", "binding", default);
            Assert.Equal("state", await Replica().OpenAsync(text, "binding", default));
        }

        Assert.Equal(2, _store.Keys.Count);
    }

    [Theory]
    [InlineData("tools/call\nother\n")]
    [InlineData("prompts/get\nask\n")]
    [InlineData("tools/call\nask\nissuer\nann")]
    public async Task It_opens_for_no_other_request_and_no_other_user(string binding)
    {
        var text = await Replica().ProtectAsync("state", "tools/call\nask\n", default);

        Assert.Null(await Replica().OpenAsync(text, binding, default));
    }

    [Theory]
    [InlineData("resources/read", """{"uri":"test://one","name":"x"}""", """{"uri":"test://two","name":"x"}""")]
    [InlineData("tools/call", """{"name":"one","uri":"x"}""", """{"name":"two","uri":"x"}""")]
    [InlineData("tools/call", """{"name":"one"}""", """{"name":"one\nissuer\nann"}""")]
    public void It_is_bound_to_what_is_asked_for_whatever_else_the_request_says(string method, string one, string other)
    {
        Assert.NotEqual(Binding(one), Binding(other));
        Assert.NotEqual(Binding(one), RequestStateExchange.Binding(Request(one), "issuer\neve"));
        Assert.NotEqual(RequestStateExchange.Binding(Request(one), "issuer\nann\nissuer\nann"), Binding(other));

        string Binding(string parameters) => RequestStateExchange.Binding(Request(parameters), "issuer\nann");

        JsonRpcRequest Request(string parameters) => new() { Method = method, Params = JsonNode.Parse(parameters) };
    }

    [Fact]
    public async Task No_change_of_a_character_gets_through()
    {
        var text = await Replica().ProtectAsync("state", "binding", default);
        var replica = Replica();
        for (var i = 0; i < text.Length; i++)
        {
            var changed = text.ToCharArray();
            changed[i] = changed[i] == 'A' ? 'B' : 'A';
            Assert.Null(await replica.OpenAsync(new string(changed), "binding", default));
        }

        foreach (var forged in (string[])["", "AQ", "state", text + "A", text[..^1], text + "=", " " + text, "\ud800"])
            Assert.Null(await replica.OpenAsync(forged, "binding", default));
    }

    [Fact]
    public async Task It_expires()
    {
        var replica = Replica();
        var text = await replica.ProtectAsync("state", "binding", default);

        _time.Now += TimeSpan.FromMinutes(59);
        Assert.Equal("state", await replica.OpenAsync(text, "binding", default));
        _time.Now += TimeSpan.FromMinutes(2);
        Assert.Null(await replica.OpenAsync(text, "binding", default));
    }

    [Fact]
    public async Task A_store_that_has_lost_the_keys_gets_them_back_from_those_who_have_them()
    {
        var (old, other) = (Replica(), Replica());
        var before = await old.ProtectAsync("before", "binding", default);
        _store.Clear();
        var between = await other.ProtectAsync("between", "binding", default); // makes a key of its own

        _time.Now += TimeSpan.FromSeconds(11);
        await old.ProtectAsync("later", "binding", default);

        Assert.Equal("between", await old.OpenAsync(between, "binding", default));
        Assert.Equal("before", await other.OpenAsync(before, "binding", default));
    }

    [Fact]
    public async Task While_the_store_is_away_known_keys_serve_and_unknown_ones_are_no_forgeries()
    {
        var (known, fresh) = (Replica(), Replica());
        var text = await known.ProtectAsync("state", "binding", default);
        _store.Away = true;
        _time.Now += TimeSpan.FromSeconds(11);

        Assert.Equal("state", await known.OpenAsync(await known.ProtectAsync("state", "binding", default), "binding", default));
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await fresh.OpenAsync(text, "binding", default));
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await fresh.ProtectAsync("state", "binding", default));
    }

    [Fact]
    public async Task Keys_are_renewed_and_old_ones_go_on_to_open()
    {
        var replica = Replica(TimeSpan.FromDays(7));
        _time.Now += TimeSpan.FromDays(29);
        var first = await replica.ProtectAsync("first", "binding", default);
        _time.Now += TimeSpan.FromDays(3);
        Assert.Equal("first", await replica.OpenAsync(first, "binding", default));
        Assert.Single(_store.Keys);

        _time.Now += TimeSpan.FromDays(31);
        await replica.ProtectAsync("second", "binding", default);
        Assert.Equal(2, _store.Keys.Count);
    }

    private RequestStates Replica(TimeSpan? lifetime = null) => new(
        new KeyRing(_store, _time), _time, Options.Create(new HighAvailabilityOptions { RequestStateLifetime = lifetime ?? TimeSpan.FromHours(1) }));

    private sealed class KeyStore : IKeyStore
    {
        private InMemoryKeyStore _keys = new();

        public bool Away { get; set; }

        public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Keys =>
            _keys.ShareAsync(new Dictionary<string, ReadOnlyMemory<byte>>()).AsTask().GetAwaiter().GetResult();

        public void Clear() => _keys = new();

        public ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ShareAsync(
            IReadOnlyDictionary<string, ReadOnlyMemory<byte>> own, CancellationToken cancellationToken = default) =>
            Away ? throw new StoreUnavailableException("away") : _keys.ShareAsync(own, cancellationToken);
    }
}
