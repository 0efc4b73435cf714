using McpHa.HighAvailability.Stateless;

namespace McpHa.Tests;

/// <summary>What every <see cref="IKeyStore"/> does.</summary>
public abstract class KeyStoreContract
{
    private protected abstract Task<IKeyStore> StoreAsync();

    [Fact]
    public async Task Keys_are_shared_as_they_are_and_none_is_ever_changed_or_lost()
    {
        var store = await StoreAsync();
        byte[] bytes = [0, 1, 255, (byte)'\n', 0x80];

        Assert.Empty(await store.ShareAsync(new Dictionary<string, ReadOnlyMemory<byte>>()));
        Assert.Equal(bytes, Assert.Single(await store.ShareAsync(Key("a", bytes))).Value.ToArray());
        var both = await store.ShareAsync(new Dictionary<string, ReadOnlyMemory<byte>> { ["a"] = new byte[] { 9 }, ["b"] = new byte[] { 7 } });

        Assert.Equal(bytes, both["a"].ToArray());
        Assert.Equal([7], both["b"].ToArray());
        Assert.Equal(["a", "b"], (await store.ShareAsync(new Dictionary<string, ReadOnlyMemory<byte>>())).Keys.Order());
    }

    [Fact]
    public async Task Keys_that_are_made_at_the_same_time_are_all_there()
    {
        var store = await StoreAsync();

        await Task.WhenAll(Enumerable.Range(0, 20).Select(n => store.ShareAsync(Key($"{n}", [(byte)n])).AsTask()));

        Assert.Equal(20, (await store.ShareAsync(new Dictionary<string, ReadOnlyMemory<byte>>())).Count);
    }

    private static Dictionary<string, ReadOnlyMemory<byte>> Key(string id, byte[] bytes) => new() { [id] = bytes };
}
