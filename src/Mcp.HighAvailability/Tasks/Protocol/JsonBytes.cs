using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;

namespace Mcp.HighAvailability.Tasks;

/// <summary>JSON nodes as bytes.</summary>
internal static class JsonBytes
{
    public static byte[] Of(JsonNode node) => JsonSerializer.SerializeToUtf8Bytes(node, JsonRpc.TypeInfo<JsonNode>());
}
