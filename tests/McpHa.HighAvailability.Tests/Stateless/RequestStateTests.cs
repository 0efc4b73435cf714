using System.Text.Json.Nodes;
using System.Xml.Linq;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>What handlers put into <c>requestState</c>: every replica reads it, and no client reads, changes or makes it.</summary>
public sealed class RequestStateTests : IDisposable
{
    private readonly KeyStore _store = new();
    private readonly List<ServiceProvider> _replicas = [];

    public void Dispose() => _replicas.ForEach(replica => replica.Dispose());

    [Fact]
    public async Task What_one_replica_protects_another_one_opens()
    {
        var text = Replica().Protect("step 2 – Ann", "tools/call\nask\n");

        Assert.Equal("step 2 – Ann", await Replica().OpenAsync(text, "tools/call\nask\n", default));
        Assert.DoesNotContain("Ann", text, StringComparison.Ordinal);
        Assert.Matches("^[A-Za-z0-9_-]+$", text);
        Assert.Single(_store.Keys);
    }

    [Theory]
    [InlineData("tools/call\nother\n")]
    [InlineData("prompts/get\nask\n")]
    [InlineData("tools/call\nask\nissuer\nann")]
    public async Task It_opens_for_no_other_request_and_no_other_user(string binding)
    {
        var text = Replica().Protect("state", "tools/call\nask\n");

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
        var text = Replica().Protect("state", "binding");
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
        var now = DateTimeOffset.UtcNow;
        var fresh = Replica(now - TimeSpan.FromMinutes(30)).Protect("state", "binding");
        var old = Replica(now - TimeSpan.FromMinutes(61)).Protect("state", "binding");

        Assert.Equal("state", await Replica().OpenAsync(fresh, "binding", default));
        Assert.Null(await Replica().OpenAsync(old, "binding", default));
    }

    [Fact]
    public async Task Two_replicas_that_make_the_first_key_at_once_read_each_other()
    {
        var (one, other) = (Replica(), Replica());
        _store.Meet = new Barrier(2); // neither has stored its key before both have found none
        var made = await Task.WhenAll(Task.Run(() => one.Protect("one", "binding")), Task.Run(() => other.Protect("other", "binding")));
        _store.Meet = null;
        Assert.Equal(2, _store.Keys.Count);

        foreach (var replica in new[] { one, other, Replica() })
        {
            _time.Advance(TimeSpan.FromSeconds(2));
            Assert.Equal("one", await replica.OpenAsync(made[0], "binding", default));
            Assert.Equal("other", await replica.OpenAsync(made[1], "binding", default));
        }
    }

    [Fact]
    public async Task A_store_that_has_lost_the_keys_gets_them_back_from_those_who_have_them()
    {
        var (old, other) = (Replica(), Replica());
        var before = old.Protect("before", "binding");
        _store.Clear();
        var between = other.Protect("between", "binding"); // makes a key of its own

        _time.Advance(TimeSpan.FromSeconds(11));
        await Wait.UntilAsync(() => old.Protect("later", "binding").Length > 0 && _store.Keys.Count == 2, "the key to be given back");

        Assert.Equal("between", await old.OpenAsync(between, "binding", default));
        Assert.Equal("before", await other.OpenAsync(before, "binding", default));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task While_the_keys_cannot_be_read_known_ones_serve_and_unknown_ones_are_no_forgeries(bool away)
    {
        var (known, late, fresh) = (Replica(), Replica(), Replica());
        var text = known.Protect("state", "binding");
        _store.Clear();
        late.Protect("x", "binding");
        _store.Fault = away ? new StoreUnavailableException("away") : new InvalidDataException("damaged");
        _time.Advance(TimeSpan.FromSeconds(11));

        Assert.Equal("state", await known.OpenAsync(known.Protect("state", "binding"), "binding", default));
        foreach (var replica in new[] { late, fresh })
            Assert.Same(_store.Fault, await Record.ExceptionAsync(async () => await replica.OpenAsync(text, "binding", default)));
        Assert.Same(_store.Fault, Record.Exception(() => fresh.Protect("state", "binding")));
        Assert.Null(await known.OpenAsync(text[..^4] + "AAAA", "binding", default));
    }

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);

    private RequestStates Replica(DateTimeOffset? clock = null)
    {
        var services = new ServiceCollection().AddLogging().AddSingleton<IXmlRepository>(_store);
        services.AddSingleton<TimeProvider>(clock is { } now ? new FakeTimeProvider(now) : _time);
        services.AddClusterDataProtection().AddSingleton<RequestStates>();
        services.Configure<HighAvailabilityOptions>(o => o.RequestStateLifetime = TimeSpan.FromHours(1));
        _replicas.Add(services.BuildServiceProvider());
        return _replicas[^1].GetRequiredService<RequestStates>();
    }

    private sealed class KeyStore : IXmlRepository
    {
        private InMemoryXmlRepository _keys = new();

        public Exception? Fault { get; set; }

        public Barrier? Meet { get; set; }

        public IReadOnlyCollection<XElement> Keys => _keys.GetAllElements();

        public void Clear() => _keys = new();

        public IReadOnlyCollection<XElement> GetAllElements() => Fault is null ? _keys.GetAllElements() : throw Fault;

        public void StoreElement(XElement element, string friendlyName)
        {
            Meet?.SignalAndWait(Wait.Limit);
            _keys.StoreElement(element, friendlyName);
        }
    }
}
