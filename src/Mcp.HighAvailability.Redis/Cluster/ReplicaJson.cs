using System.Text.Json.Serialization;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Redis;

/// <summary>Heartbeats as JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ReplicaInfo))]
internal sealed partial class ReplicaJson : JsonSerializerContext;
