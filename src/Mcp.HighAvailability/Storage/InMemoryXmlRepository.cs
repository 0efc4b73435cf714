using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;

namespace Mcp.HighAvailability.Storage;

/// <summary>Data protection keys that live as long as the process.</summary>
internal sealed class InMemoryXmlRepository : IXmlRepository
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, XElement> _elements = new(StringComparer.Ordinal);

    public IReadOnlyCollection<XElement> GetAllElements()
    {
        lock (_gate)
            return [.. _elements.Values.Select(element => new XElement(element))];
    }

    public void StoreElement(XElement element, string friendlyName)
    {
        lock (_gate)
            _elements.TryAdd(friendlyName, new(element));
    }
}
