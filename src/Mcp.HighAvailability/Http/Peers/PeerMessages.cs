using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Mcp.HighAvailability.Http;

/// <summary>Request of one replica to another.</summary>
/// <param name="Kind">Kind of the request.</param>
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

/// <summary>Answer to a <see cref="PeerRequest"/>.</summary>
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
    /// <summary>The request was carried out.</summary>
    Done,

    /// <summary>The session is unknown or has ended.</summary>
    Unknown,

    /// <summary>The request was not carried out. The caller may try again, perhaps at another replica.</summary>
    NotNow,

    /// <summary>The message was or may have been sent, and has failed.</summary>
    Failed,

    /// <summary>The outcome is unknown: the replica was lost.</summary>
    Lost,
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true)]
[JsonSerializable(typeof(PeerRequest))]
[JsonSerializable(typeof(PeerAnswer))]
internal sealed partial class PeerJson : JsonSerializerContext;
