using System.Text.Json;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Balancer.Routing;

/// <summary>What a request calls: decides whether one without a session may be sent twice, and names traces.</summary>
/// <param name="Method">The method; empty when the body does not say it in one clear way.</param>
/// <param name="Name">The tool of a <c>tools/call</c>, the prompt of a <c>prompts/get</c>; empty for most others.</param>
internal readonly record struct StatelessRequest(string Method, string Name)
{
    /// <summary>Opens a session: sent twice it opens two, and the client gets to know one.</summary>
    public bool OpensSession => Method == RequestMethods.Initialize;

    /// <summary><see cref="Name"/> is that of a tool or a prompt.</summary>
    public bool HasTarget => Method is RequestMethods.ToolsCall or RequestMethods.PromptsGet;

    public bool Listens => Method == RequestMethods.SubscriptionsListen;

    /// <summary>Reads a body. What is said twice, or is broken, is left to the replica to judge and is never sent again.</summary>
    public static StatelessRequest Read(ReadOnlySpan<byte> body)
    {
        try
        {
            string? method = null, name = null;
            var reader = new Utf8JsonReader(body);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return new("", "");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var (isMethod, isParams) = (reader.ValueTextEquals("method"u8), reader.ValueTextEquals("params"u8));
                reader.Read();
                if (isMethod ? !TryReadText(ref reader, ref method) : isParams && !TryReadName(ref reader, ref name))
                    return new("", "");
                reader.Skip();
            }

            return new(method ?? "", name ?? "");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return new("", "");
        }
    }

    /// <summary>Whether a second run does no harm, as all replicas that live say.</summary>
    public bool MayRepeat(IReadOnlyList<ReplicaInfo> alive)
    {
        if (Method != RequestMethods.ToolsCall)
            return RerunPolicy.IsHarmless(Method);
        foreach (var replica in alive)
        {
            if (!RerunPolicy.IsPublished(replica.Rerun, Name))
                return false;
        }

        return alive.Count > 0;
    }

    // At a value. False: it is no text, or one was there before.
    private static bool TryReadText(ref Utf8JsonReader reader, ref string? value)
    {
        if (value is not null || reader.TokenType != JsonTokenType.String)
            return false;
        value = reader.GetString();
        return true;
    }

    // At the value of "params"; of other methods it may be anything.
    private static bool TryReadName(ref Utf8JsonReader reader, ref string? name)
    {
        if (name is not null)
            return false;
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            name = "";
            return true;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isName = reader.ValueTextEquals("name"u8);
            reader.Read();
            if (isName && !TryReadText(ref reader, ref name))
                return false;
            reader.Skip();
        }

        name ??= "";
        return true;
    }
}
