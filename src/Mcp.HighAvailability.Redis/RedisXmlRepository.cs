using System.Xml;
using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Keeps the cluster's data protection keys in one hash. Keys are never changed or removed; a field that is no key is ignored.</summary>
/// <remarks>Not a list, as Microsoft's own package has it: replicas that give a key back at the same time must not write it twice.</remarks>
internal sealed partial class RedisXmlRepository(RedisConnection redis, ILogger<RedisXmlRepository> logger) : IXmlRepository
{
    private int _ignored;

    public IReadOnlyCollection<XElement> GetAllElements()
    {
        List<XElement> elements = [];
        var ignored = 0;
        foreach (var field in RedisFields.Pairs(Share([])))
        {
            try
            {
                elements.Add(XElement.Parse((string?)field.Value ?? ""));
            }
            catch (XmlException)
            {
                ignored++;
            }
        }

        if (Interlocked.Exchange(ref _ignored, ignored) < ignored)
            LogIgnored(ignored, redis.Keys.DataProtection.ToString());
        return elements;
    }

    public void StoreElement(XElement element, string friendlyName) => Share([friendlyName, element.ToString(SaveOptions.DisableFormatting)]);

    // The interface is synchronous. Keys are read at the start, and later in the background.
    private RedisResult Share(RedisValue[] arguments) =>
        redis.EvaluateAsync(RedisScripts.ShareKeys, [redis.Keys.DataProtection], arguments, CancellationToken.None).AsTask().GetAwaiter().GetResult();

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Redis hash {Key} has fields that are not data protection keys. They are ignored. Fields: {Count}. Remove them, and the program that " +
            "writes them.")]
    private partial void LogIgnored(int count, string key);
}
