using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;

namespace McpHa.Tests;

/// <summary>What every store does that keeps the data protection keys of a cluster.</summary>
public abstract class KeyRepositoryContract
{
    protected abstract Task<IXmlRepository> RepositoryAsync();

    [Fact]
    public async Task Keys_are_kept_as_they_are_and_none_is_ever_changed_or_lost()
    {
        var repository = await RepositoryAsync();
        Assert.Empty(repository.GetAllElements());

        repository.StoreElement(Key("a", "ä <&> \n"), "key-a");
        repository.StoreElement(Key("a", "other"), "key-a");
        repository.StoreElement(Key("b", "two"), "key-b");

        Assert.Equal(["two", "ä <&> \n"], repository.GetAllElements().Select(element => element.Value).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Keys_that_are_made_at_the_same_time_are_all_there()
    {
        var repository = await RepositoryAsync();

        await Task.WhenAll(Enumerable.Range(0, 20).Select(n => Task.Run(() => repository.StoreElement(Key($"{n}", "x"), $"key-{n}"))));

        Assert.Equal(20, repository.GetAllElements().Count);
    }

    private static XElement Key(string id, string value) => new("key", new XAttribute("id", id), value);
}
