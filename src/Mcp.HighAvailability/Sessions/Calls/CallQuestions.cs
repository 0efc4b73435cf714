using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Names the requests that a handler sends to its client, so that a later run of the handler gives them the same names.</summary>
/// <remarks>
/// The name is made of the call, of what is asked, and of how often the same was asked before within the call. Two questions
/// asked at the same time therefore keep their own answers in whatever order a later run asks them, and a question that a later
/// run words differently is asked anew instead of being given an answer to something else.
/// Plain data, part of <see cref="OpenCall"/>.
/// </remarks>
internal sealed class CallQuestions(string stream)
{
    private const char Mark = 'q';
    private readonly Dictionary<string, int> _asked = [];
    private readonly List<string> _names = [];

    /// <summary>All names given so far.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>Identity of a question.</summary>
    public static string Hash(JsonRpcRequest question) =>
        ContentHash.Of(Encoding.UTF8.GetBytes(question.Method + "\n" + WithoutMeta(question.Params))).ToString()[..12];

    /// <summary>Names a question with this <see cref="Hash"/>.</summary>
    public string Name(string hash)
    {
        var count = _asked.GetValueOrDefault(hash) + 1;
        _asked[hash] = count;
        var name = string.Create(CultureInfo.InvariantCulture, $"{stream}{Mark}{hash}n{count}");
        _names.Add(name);
        return name;
    }

    /// <summary>The stream of the call that a question belongs to; <see langword="null"/> when the id is not one of ours.</summary>
    public static string? StreamOf(string questionId) =>
        questionId.IndexOf(Mark, StringComparison.Ordinal) is > 0 and var mark ? questionId[..mark] : null;

    // _meta carries trace context and the like, which differs from run to run.
    private static string WithoutMeta(JsonNode? parameters)
    {
        if (parameters is not JsonObject o || !o.ContainsKey("_meta"))
            return parameters?.ToJsonString() ?? "";
        var copy = (JsonObject)o.DeepClone();
        copy.Remove("_meta");
        return copy.ToJsonString();
    }
}
