using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Mcp.HighAvailability.Http;

/// <summary>What a replica asks of another one.</summary>
/// <param name="Kind">What it is about.</param>
/// <param name="Session">Id of a session; for <see cref="PeerRequestKind.Subscribers"/> empty.</param>
/// <param name="Method">Method of the message; for <see cref="PeerRequestKind.Subscribers"/> the URI.</param>
/// <param name="Params">Parameters of the message.</param>
internal sealed record PeerRequest(PeerRequestKind Kind, string Session, string Method, JsonNode? Params = null);

internal enum PeerRequestKind
{
    /// <summary>Send a notification.</summary>
    Notify,

    /// <summary>Send a request and tell its result.</summary>
    Request,

    /// <summary>Name the sessions that have subscribed to a resource.</summary>
    Subscribers,
}

/// <summary>What came of it.</summary>
internal sealed record PeerAnswer(PeerOutcome Outcome)
{
    /// <summary>Why, for people.</summary>
    public string Reason { get; init; } = "";

    /// <summary>The client's error code, if it answered with an error.</summary>
    public int? ErrorCode { get; init; }

    /// <summary>The client's result.</summary>
    public JsonNode? Result { get; init; }

    /// <summary>Ids of sessions.</summary>
    public IReadOnlyList<string> Sessions { get; init; } = [];
}

internal enum PeerOutcome
{
    /// <summary>Done.</summary>
    Done,

    /// <summary>The session is unknown or has ended.</summary>
    Unknown,

    /// <summary>Nothing was done. It may be tried again, perhaps elsewhere.</summary>
    NotNow,

    /// <summary>It was or may have been sent, and has failed.</summary>
    Failed,

    /// <summary>Nothing is known: the replica was lost.</summary>
    Lost,
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true)]
[JsonSerializable(typeof(PeerRequest))]
[JsonSerializable(typeof(PeerAnswer))]
internal sealed partial class PeerJson : JsonSerializerContext;
