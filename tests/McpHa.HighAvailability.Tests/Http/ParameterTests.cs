using System.Text.Json.Nodes;
using Mcp.HighAvailability.Http;

namespace McpHa.Tests;

/// <summary>Wrong parameters are -32602 and name the member, in both eras, for every method of the protocol; nothing runs.</summary>
public sealed class ParameterTests
{
    private const string SessionEra = "2025-11-25";

    private static readonly string[] Values = ["null", "7", "7.5", "true", "\"x\"", "[]", "[1]", "{}", """{"x":1}"""];

    private static readonly Dictionary<string, string> Right = new()
    {
        ["initialize"] = """{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"raw","version":"1"}}""",
        ["tools/call"] = """{"name":"once","arguments":{},"requestState":null}""",
        ["prompts/get"] = """{"name":"greet","arguments":{"name":"x"}}""",
        ["resources/read"] = """{"uri":"test://one"}""",
        ["resources/subscribe"] = """{"uri":"test://one"}""",
        ["resources/unsubscribe"] = """{"uri":"test://one"}""",
        ["logging/setLevel"] = """{"level":"info"}""",
        ["completion/complete"] = """{"ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"name","value":""},"context":{"arguments":{}}}""",
        ["subscriptions/listen"] = """{"notifications":{}}""",
        ["notifications/cancelled"] = """{"requestId":1}""",
        ["notifications/progress"] = """{"progressToken":1,"progress":1}""",
    };

    public static TheoryData<string, string> Methods()
    {
        TheoryData<string, string> data = [];
        foreach (var era in new[] { SessionEra, StatelessClient.Revision })
        {
            foreach (var (method, _) in ParameterRules.Known)
                data.Add(era, method);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task Every_member_of_every_method_is_checked(string era, string method)
    {
        await using var cluster = await InProcessCluster.StartAsync(1, server: WireServer.Add);
        using var client = await OpenAsync(cluster, era, method);
        var served = era == SessionEra
            ? method is not ("server/discover" or "subscriptions/listen")
            : method is not ("initialize" or "ping" or "logging/setLevel" or "resources/subscribe" or "resources/unsubscribe");
        foreach (var member in ParameterRules.Known.Single(m => m.Key == method).Value.Append(new(["_meta", "progressToken"], false, "id")))
        {
            foreach (var value in Values.Prepend(""))
            {
                var node = value.Length == 0 ? null : JsonNode.Parse(value);
                var fits = Fits(member, node);
                if (fits && method == "subscriptions/listen")
                    continue; // a stream without an end
                var parameters = Parameters(era, method);
                if (!Set(parameters, member, node, remove: value.Length == 0))
                    continue;

                using var exchange = await SendAsync(client, cluster[0], method, parameters);
                var what = $"{method} with {parameters.ToJsonString()}";
                if (method.StartsWith("notifications/", StringComparison.Ordinal))
                {
                    Assert.True((int)exchange.Status == (fits ? 202 : 400), $"{exchange.Status} for {what}");
                    continue;
                }

                var answer = await exchange.AnswerAsync();
                var error = answer["error"];
                Assert.True((int?)error?["code"] != -32603, $"{error?.ToJsonString()} for {what}");
                if (!fits && served)
                {
                    Assert.True((int?)error?["code"] == -32602, $"{answer.ToJsonString()} for {what}");
                    Assert.Contains($"'{member.Name}'", (string?)error!["message"], StringComparison.Ordinal);
                    Assert.Equal(1, (int)answer["id"]!);
                    Assert.True((int)exchange.Status == (era == SessionEra || member.Path[0] != "_meta" ? 200 : 400), $"{exchange.Status} for {what}");
                }
                else if (!served && method != "subscriptions/listen" && fits)
                {
                    // In 'initialize' the header is compared with the body's revision first.
                    var lies = era == StatelessClient.Revision && parameters["protocolVersion"] is { } revision && (string?)revision != era;
                    Assert.Equal(lies ? -32020 : -32601, (int?)error?["code"]);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task Parameters_that_are_no_object_are_refused(string era, string method)
    {
        await using var cluster = await InProcessCluster.StartAsync(1, server: WireServer.Add);
        using var client = await OpenAsync(cluster, era, method);
        foreach (var parameters in new[] { "[]", "\"x\"", "7", "true" })
        {
            using var exchange = await SendAsync(client, cluster[0], method, JsonNode.Parse(parameters)!);
            if (method.StartsWith("notifications/", StringComparison.Ordinal))
            {
                Assert.Equal(400, (int)exchange.Status);
                continue;
            }

            var error = (await exchange.AnswerAsync())["error"]!;
            Assert.Contains((int)error["code"]!, new[] { -32602, -32601 });
            if (era == SessionEra)
                Assert.Equal("'params' must be an object.", (string?)error["message"]);
        }

        Assert.Equal(0, cluster.Tool.Runs);
    }

    [Theory]
    [InlineData("initialize", """{"protocolVersion":"2025-11-25","capabilities":{"roots":7},"clientInfo":{"name":"x","version":"1"}}""", "params.capabilities.roots")]
    [InlineData("initialize", """{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1","icons":[7]}}""", "params.clientInfo.icons[0]")]
    [InlineData("completion/complete", """{"ref":{"type":"ref/prompt"},"argument":{"name":"a","value":""}}""", "params.ref")]
    [InlineData("completion/complete", """{"ref":{"type":"other","name":"greet"},"argument":{"name":"a","value":""}}""", "params.ref")]
    [InlineData("completion/complete", """{"ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"a","value":""},"context":{"arguments":{"a":7}}}""", "params.context.arguments")]
    [InlineData("logging/setLevel", """{"level":"verbose"}""", "debug, info, notice, warning, error, critical, alert, emergency")]
    [InlineData("prompts/get", """{"name":"greet"}""", "params.arguments.name")]
    [InlineData("prompts/get", """{"name":"greet","arguments":{"name":7}}""", "params.arguments")]
    [InlineData("prompts/get", """{"name":"greet","arguments":{"name":"x","times":"often"}}""", "greet")]
    [InlineData("resources/read", """{"uri":"test://number/none"}""", "params.uri")]
    [InlineData("tools/list", """{"cursor":"bogus"}""", "params.cursor")]
    [InlineData("prompts/list", """{"cursor":"bogus"}""", "params.cursor")]
    [InlineData("resources/list", """{"cursor":"bogus"}""", "params.cursor")]
    [InlineData("resources/templates/list", """{"cursor":"bogus"}""", "params.cursor")]
    [InlineData("subscriptions/listen", """{"notifications":{"toolsListChanged":7}}""", "params.notifications.toolsListChanged")]
    [InlineData("tools/list", """{"_meta":{"io.modelcontextprotocol/clientCapabilities":{"roots":7}}}""", "_meta/io.modelcontextprotocol/clientCapabilities")]
    [InlineData("tools/list", """{"_meta":{"io.modelcontextprotocol/clientInfo":{"name":"x"}}}""", "_meta/io.modelcontextprotocol/clientInfo")]
    public async Task What_lies_deeper_is_named_too(string method, string parameters, string named)
    {
        await using var cluster = await InProcessCluster.StartAsync(1, server: WireServer.Add);
        foreach (var era in new[] { SessionEra, StatelessClient.Revision })
        {
            if (era != SessionEra && method is "initialize" or "logging/setLevel")
                continue;
            using var client = await OpenAsync(cluster, era, method);
            var sent = (JsonObject)JsonNode.Parse(parameters)!;
            if (era != SessionEra)
            {
                var meta = StatelessClient.Meta();
                foreach (var (name, value) in sent["_meta"]?.AsObject() ?? [])
                    meta[name] = value?.DeepClone();
                sent["_meta"] = meta;
            }

            using var exchange = await SendAsync(client, cluster[0], method, sent);
            var error = (await exchange.AnswerAsync())["error"];
            Assert.True((int?)error?["code"] == -32602, $"{error?.ToJsonString()} in {era}");
            Assert.Contains(named, (string?)error!["message"], StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(SessionEra)]
    [InlineData(StatelessClient.Revision)]
    public async Task An_empty_cursor_is_the_first_page(string era)
    {
        await using var cluster = await InProcessCluster.StartAsync(1, server: WireServer.Add);
        foreach (var (method, list) in new[] { ("tools/list", "tools"), ("prompts/list", "prompts"), ("resources/list", "resources"), ("resources/templates/list", "resourceTemplates") })
        {
            using var client = await OpenAsync(cluster, era, method);
            foreach (var cursor in new[] { "", null })
            {
                var parameters = Parameters(era, method);
                parameters["cursor"] = cursor;
                using var exchange = await SendAsync(client, cluster[0], method, parameters);
                Assert.NotEmpty((await exchange.AnswerAsync())["result"]![list]!.AsArray());
            }
        }
    }

    [Theory]
    [InlineData(SessionEra)]
    [InlineData(StatelessClient.Revision)]
    public async Task Wrong_arguments_of_a_tool_are_a_result_that_names_them(string era)
    {
        await using var cluster = await InProcessCluster.StartAsync(1, server: WireServer.Add);
        using var client = await OpenAsync(cluster, era, "tools/call");
        foreach (var (arguments, named) in new[]
        {
            ("{}", "'count' is missing"),
            ("""{"count":"many"}""", "'count' must be of type integer"),
            ("""{"count":1.5}""", "'count' must be of type integer"),
            ("""{"count":1,"on":"yes"}""", "'on' must be of type boolean"),
            ("""{"count":1,"list":[1,"x"]}""", "'list[1]' must be of type integer"),
            ("""{"count":1,"box":{"width":"wide"}}""", "'box.width' must be of type integer"),
            ("""{"count":1,"colour":"Blue"}""", "'colour' must be one of"),
        })
        {
            var result = await CallAsync(client, cluster[0], era, "typed", arguments);
            Assert.True((bool?)result["isError"], $"{result.ToJsonString()} for {arguments}");
            Assert.Contains(named, (string?)result["content"]![0]!["text"], StringComparison.Ordinal);
        }

        var broken = await CallAsync(client, cluster[0], era, "broken", "{}");
        Assert.DoesNotContain("secret", broken.ToJsonString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(SessionEra)]
    [InlineData(StatelessClient.Revision)]
    public async Task An_integer_may_be_written_with_a_fraction(string era)
    {
        await using var cluster = await InProcessCluster.StartAsync(1, server: WireServer.Add);
        using var client = await OpenAsync(cluster, era, "tools/call");
        var result = await CallAsync(client, cluster[0], era, "typed", """{"count":50.0,"large":5e3,"share":2.0,"list":[1.0,2],"box":{"width":3.0},"text":"1.0"}""");
        Assert.Equal("50 5000 2 False 1.0 1+2 3 Red", (string?)result["content"]![0]!["text"]);

        // No integers, and as exact as they were.
        var fractions = await CallAsync(client, cluster[0], era, "typed", """{"count":-1.0,"large":9007199254740993.0,"share":1e-30}""");
        Assert.StartsWith("-1 9007199254740993 1E-30 False", (string?)fractions["content"]![0]!["text"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1.0", "1")]
    [InlineData("1e2", "100")]
    [InlineData("\"1.0\"", "\"1.0\"")]
    public async Task A_request_id_may_be_written_with_a_fraction(string id, string echoed)
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        foreach (var replica in new[] { cluster[0], cluster[1] })
        {
            var message = """{"jsonrpc":"2.0","id":ID,"method":"tools/call","params":{"name":"once","arguments":{"text":"REPLICA"},"_meta":{"progressToken":2.0}}}""";
            using var exchange = await client.PostTextAsync(
                replica, message.Replace("ID", id, StringComparison.Ordinal).Replace("REPLICA", replica.Id, StringComparison.Ordinal));
            var answer = await exchange.AnswerAsync();
            Assert.Equal(echoed, answer["id"]!.ToJsonString());
            Assert.Equal(replica.Id, RawClient.TextOf(answer));
        }

        using var half = await client.PostTextAsync(cluster[0], """{"jsonrpc":"2.0","id":1.5,"method":"ping"}""");
        Assert.Equal(-32600, (int)(await half.JsonAsync())["error"]!["code"]!);
    }

    private static async Task<RawClient> OpenAsync(InProcessCluster cluster, string era, string method)
    {
        var client = era == SessionEra ? await cluster.ConnectAsync() : StatelessClient.New();
        if (method == "initialize")
            client.SessionId = null;
        return client;
    }

    private static JsonObject Parameters(string era, string method)
    {
        var parameters = (JsonObject)JsonNode.Parse(Right.GetValueOrDefault(method, "{}"))!;
        parameters["_meta"] = era == SessionEra ? new JsonObject() : StatelessClient.Meta();
        return parameters;
    }

    private static async Task<JsonNode> CallAsync(RawClient client, InProcessReplica replica, string era, string tool, string arguments)
    {
        var parameters = Parameters(era, "tools/call");
        (parameters["name"], parameters["arguments"]) = (tool, JsonNode.Parse(arguments));
        using var exchange = await SendAsync(client, replica, "tools/call", parameters);
        var answer = await exchange.AnswerAsync();
        return answer["result"] ?? throw new InvalidOperationException(answer.ToJsonString());
    }

    private static Task<Exchange> SendAsync(RawClient client, InProcessReplica replica, string method, JsonNode parameters)
    {
        JsonObject message = new() { ["jsonrpc"] = "2.0", ["method"] = method, ["params"] = parameters };
        if (!method.StartsWith("notifications/", StringComparison.Ordinal))
            message["id"] = 1;
        return client.PostAsync(replica, message, headers =>
        {
            if (client.Version != StatelessClient.Revision)
                return;
            headers.TryAddWithoutValidation("Mcp-Method", method);
            var name = (parameters as JsonObject)?["name"] ?? (parameters as JsonObject)?["uri"];
            headers.TryAddWithoutValidation("Mcp-Name", name is JsonValue value && value.TryGetValue(out string? text) ? text : "x");
        });
    }

    private static bool Set(JsonObject parameters, ParameterMember member, JsonNode? value, bool remove)
    {
        var parent = parameters;
        foreach (var name in member.Path[..^1])
        {
            if (parent[name] is not JsonObject next)
                return false;
            parent = next;
        }

        parent.Remove(member.Path[^1]);
        if (!remove)
            parent[member.Path[^1]] = value;
        return true;
    }

    private static bool Fits(ParameterMember member, JsonNode? value) => (value, member.Type) switch
    {
        (null, _) => !member.IsRequired,
        (JsonObject members, "texts") => members.All(m => m.Value is JsonValue text && text.TryGetValue<string>(out _)),
        (JsonObject, "object" or "map") => true,
        (JsonValue number, "number") when number.TryGetValue<double>(out _) => true,
        (JsonValue number, "id") when number.TryGetValue<long>(out _) => true,
        (JsonValue, "level") => false,
        (JsonValue text, "string" or "id" or "cursor" or "revision") => text.TryGetValue<string>(out _),
        _ => false,
    };
}
