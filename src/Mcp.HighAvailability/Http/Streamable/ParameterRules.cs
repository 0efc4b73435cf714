using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Http;

/// <summary>Checks the <c>params</c> of the protocol's messages before anything runs or is written.</summary>
/// <remarks>The SDK answers parameters that it cannot read with <c>-32603 "An error occurred."</c>, which does not tell the client what to change.</remarks>
internal static class ParameterRules
{
    private const string Meta = "_meta";

    // Written as in the protocol's schema. A required member must not be null; null in the place of another one means that it is absent.
    private static readonly FrozenDictionary<string, MethodRule> Requests = new Dictionary<string, MethodRule>(StringComparer.Ordinal)
    {
        [RequestMethods.Initialize] = MethodRule.Of<InitializeRequestParams>(
            "protocolVersion: revision", "capabilities: object", "clientInfo: object", "clientInfo.name: string", "clientInfo.version: string"),
        [RequestMethods.Ping] = MethodRule.Of<PingRequestParams>(),
        [RequestMethods.ServerDiscover] = MethodRule.Of<DiscoverRequestParams>(),
        [RequestMethods.ToolsList] = MethodRule.Of<ListToolsRequestParams>("cursor?: cursor"),
        [RequestMethods.ToolsCall] = MethodRule.Of<CallToolRequestParams>("name: string", "arguments?: map", "requestState?: string"),
        [RequestMethods.PromptsList] = MethodRule.Of<ListPromptsRequestParams>("cursor?: cursor"),
        [RequestMethods.PromptsGet] = MethodRule.Of<GetPromptRequestParams>("name: string", "arguments?: texts", "requestState?: string"),
        [RequestMethods.ResourcesList] = MethodRule.Of<ListResourcesRequestParams>("cursor?: cursor"),
        [RequestMethods.ResourcesTemplatesList] = MethodRule.Of<ListResourceTemplatesRequestParams>("cursor?: cursor"),
        [RequestMethods.ResourcesRead] = MethodRule.Of<ReadResourceRequestParams>("uri: string", "requestState?: string"),
        [RequestMethods.ResourcesSubscribe] = MethodRule.Of<SubscribeRequestParams>("uri: string"),
        [RequestMethods.ResourcesUnsubscribe] = MethodRule.Of<UnsubscribeRequestParams>("uri: string"),
        [RequestMethods.LoggingSetLevel] = MethodRule.Of<SetLevelRequestParams>("level: level"),
        [RequestMethods.CompletionComplete] = MethodRule.Of<CompleteRequestParams>(
            "ref: object", "ref.type: string", "ref.name?: string", "ref.uri?: string", "argument: object", "argument.name: string", "argument.value: string",
            "context?: object", "context.arguments?: texts"),
        [RequestMethods.SubscriptionsListen] = MethodRule.Of<SubscriptionsListenRequestParams>("notifications: object"),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, MethodRule> Notifications = new Dictionary<string, MethodRule>(StringComparer.Ordinal)
    {
        [NotificationMethods.CancelledNotification] = MethodRule.Of<CancelledNotificationParams>("requestId?: id", "reason?: string"),
        [NotificationMethods.ProgressNotification] = MethodRule.Of<ProgressNotificationParams>("progressToken: id", "progress: number", "total?: number",
            "message?: string"),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly MethodRule Common = MethodRule.Of<RequestParams>("_meta?: map", "_meta.progressToken?: id");

    // Members of _meta whose names have dots.
    private static readonly (string Name, Type Type)[] MetaMembers =
    [
        ("io.modelcontextprotocol/clientInfo", typeof(Implementation)),
        ("io.modelcontextprotocol/clientCapabilities", typeof(ClientCapabilities)),
        ("io.modelcontextprotocol/logLevel", typeof(LoggingLevel)),
    ];

    /// <summary>Methods that the rules know, with the members that they name.</summary>
    internal static IEnumerable<KeyValuePair<string, IReadOnlyList<ParameterMember>>> Known =>
        Requests.Concat(Notifications).Select(rule => KeyValuePair.Create(rule.Key, rule.Value.Members));

    /// <summary>
    /// Checks a message, and rewrites members that have several forms: an unknown revision in <c>initialize</c> becomes the newest revision with sessions,
    /// an empty cursor is removed, an integer such as <c>1.0</c> becomes <c>1</c>.
    /// </summary>
    public static ParameterCheck Check(JsonRpcMessage message)
    {
        var (method, node, rules) = message switch
        {
            JsonRpcRequest request => (request.Method, request.Params, Requests),
            JsonRpcNotification notification => (notification.Method, notification.Params, Notifications),
            _ => ("", null, null),
        };
        if (rules is null)
            return default;
        if (node is not null and not JsonObject)
            return new("'params' must be an object.");
        var parameters = (JsonObject?)node ?? [];
        var changed = false;
        if (Common.Find(parameters, ref changed) is { } common)
            return new(common, OfMeta: true);
        if (parameters[Meta] is JsonObject meta && FindInMeta(meta) is { } wrong)
            return new(wrong, OfMeta: true);
        if (!rules.TryGetValue(method, out var rule))
            return new(null, Changed: changed);
        return rule.Find(parameters, ref changed) is { } problem ? new(problem) : new(rule.Read(parameters), Changed: changed);
    }

    private static string? FindInMeta(JsonObject meta)
    {
        foreach (var (name, type) in MetaMembers)
        {
            if (meta[name] is { } value && MethodRule.Read(value, type, $"{Meta}/{name}") is { } problem)
                return problem;
        }

        return null;
    }
}

/// <summary>The result of a check.</summary>
/// <param name="Problem">What is wrong, and the cure; <see langword="null"/> if nothing is.</param>
/// <param name="Changed">Whether the message was rewritten.</param>
/// <param name="OfMeta">Whether the problem is in <c>_meta</c>.</param>
internal readonly record struct ParameterCheck(string? Problem, bool Changed = false, bool OfMeta = false);

/// <summary>The parameters of one method.</summary>
/// <param name="type">The SDK's type of them.</param>
/// <param name="members">The members that the type alone does not check, in the order in which they are checked.</param>
internal sealed class MethodRule(Type type, IReadOnlyList<ParameterMember> members)
{
    public IReadOnlyList<ParameterMember> Members => members;

    public static MethodRule Of<T>(params string[] members) => new(typeof(T), [.. members.Select(ParameterMember.Parse)]);

    /// <summary>Returns the error of a member; <see langword="null"/>: it is valid.</summary>
    public string? Find(JsonObject parameters, ref bool changed)
    {
        foreach (var member in members)
        {
            if (member.Check(parameters, ref changed) is { } problem)
                return problem;
        }

        return null;
    }

    /// <summary>Reads the parameters as the SDK does, unless the members say all there is to say; what is wrong with them.</summary>
    public string? Read(JsonObject parameters)
    {
        foreach (var (name, value) in parameters)
        {
            if (name != "_meta" && value is not null && !members.Any(member => member.Describes(name)))
                return Read(parameters, type, "params");
        }

        return null;
    }

    public static string? Read(JsonNode value, Type type, string name)
    {
        try
        {
            value.Deserialize(McpJsonUtilities.ProtocolOptions.GetTypeInfo(type));
            return null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or NotSupportedException or ArgumentException)
        {
            return $"'{name}{(e as JsonException)?.Path?.TrimStart('$')}' is not what the protocol defines: a member is missing, unknown or of the wrong type.";
        }
    }
}
