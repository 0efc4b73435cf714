using System.Text.Json.Serialization;
using McpHa.HighAvailability.Cluster;

namespace McpHa.HighAvailability.Redis;

/// <summary>Heartbeats as JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ReplicaInfo))]
internal sealed partial class ReplicaJson : JsonSerializerContext;
