using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Security;

/// <summary>The data protection keys of the cluster: those of the store, together with those that this replica has seen before.</summary>
/// <remarks>Invariant: a key that was read once is never missing. A store that has lost its data gets the keys back at the next reading.</remarks>
internal sealed partial class ClusterKeyRepository(IXmlRepository store, ILogger<ClusterKeyRepository> logger) : IXmlRepository
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, XElement> _known = new(StringComparer.Ordinal);
    private volatile Exception? _fault;

    /// <summary>Why the last reading failed; <see langword="null"/> if it did not.</summary>
    public Exception? Fault => _fault;

    /// <summary>Reads the store. While it cannot be read, the known keys are returned.</summary>
    /// <exception cref="Exception">The store cannot be read, and no key is known yet.</exception>
    public IReadOnlyCollection<XElement> GetAllElements()
    {
        try
        {
            Dictionary<string, XElement> stored = new(StringComparer.Ordinal);
            foreach (var element in store.GetAllElements())
                stored[NameOf(element)] = element;
            foreach (var (name, element) in Known())
            {
                if (stored.TryAdd(name, element))
                    store.StoreElement(element, name);
            }

            Remember(stored);
            _fault = null;
        }
        catch (Exception e)
        {
            _fault = e;
            if (Known().Length == 0)
                throw;
            LogUnreadable(e);
        }

        return [.. Known().Select(known => known.Value)];
    }

    public void StoreElement(XElement element, string friendlyName)
    {
        store.StoreElement(element, friendlyName);
        Remember([new(NameOf(element), element)]);
    }

    // Copies: the caller may change what it gets.
    private KeyValuePair<string, XElement>[] Known()
    {
        lock (_gate)
            return [.. _known.Select(known => KeyValuePair.Create(known.Key, new XElement(known.Value)))];
    }

    private void Remember(IEnumerable<KeyValuePair<string, XElement>> elements)
    {
        lock (_gate)
        {
            foreach (var (name, element) in elements)
                _known[name] = new(element);
        }
    }

    // The names that XmlKeyManager gives them.
    private static string NameOf(XElement element) => element.Name == "key"
        ? $"key-{(string?)element.Attribute("id")}"
        : $"{element.Name}-{(string?)element.Element("key")?.Attribute("id")}{(string?)element.Element("revocationDate")}";

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Data protection keys not read from the store. This replica uses the keys that it has read before, and tries again.")]
    private partial void LogUnreadable(Exception exception);
}
