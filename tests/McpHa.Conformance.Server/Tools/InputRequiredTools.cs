using System.ComponentModel;
using Mcp.HighAvailability;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Conformance.Tools;

/// <summary>Tools that ask by way of their result. What they put into <c>requestState</c> is plain: protecting it is the library's work.</summary>
[McpServerToolType]
[Rerun(true)]
public static class InputRequiredTools
{
    [McpServerTool(Name = "test_input_required_result_elicitation"), Description("Asks for a name.")]
    public static string Elicitation(RequestContext<CallToolRequestParams> request) =>
        Questions.Answer(request.Params, "user_name", "name") is { } name ? $"Hello, {name}!" : throw Ask(("user_name", Questions.Text("What is your name?", "name")));

    [McpServerTool(Name = "test_input_required_result_sampling"), Description("Asks the client's model.")]
    public static string Sampling(RequestContext<CallToolRequestParams> request)
    {
        if (request.Params.InputResponses?.TryGetValue("capital_question", out var answer) != true)
            throw Ask(("capital_question", Questions.Sample("What is the capital of France?", 100)));
        var content = answer!.Deserialize(InputResponse.CreateMessageResultJsonTypeInfo)?.Content ?? [];
        return string.Concat(content.OfType<TextContentBlock>().Select(block => block.Text));
    }

    [McpServerTool(Name = "test_input_required_result_list_roots"), Description("Asks for the client's roots.")]
    public static string ListRoots(RequestContext<CallToolRequestParams> request)
    {
        if (request.Params.InputResponses?.TryGetValue("client_roots", out var answer) != true)
            throw Ask(("client_roots", Questions.Roots()));
        var roots = answer!.Deserialize(InputResponse.ListRootsResultJsonTypeInfo)?.Roots ?? [];
        return $"Roots: {string.Join(", ", roots.Select(root => root.Uri))}";
    }

    [McpServerTool(Name = "test_input_required_result_request_state"), Description("Expects its state back.")]
    public static string State(RequestContext<CallToolRequestParams> request) => request.Params.RequestState switch
    {
        null => throw Ask("waiting for confirmation", ("confirm", Questions.Confirm())),
        "waiting for confirmation" => "state-ok",
        var other => $"state is {other}",
    };

    [McpServerTool(Name = "test_input_required_result_multiple_inputs"), Description("Asks three things at once.")]
    public static string Several(RequestContext<CallToolRequestParams> request) =>
        request.Params is { RequestState: "asked three", InputResponses.Count: >= 3 }
            ? "Got all three."
            : throw Ask(
                "asked three",
                ("user_name", Questions.Text("What is your name?", "name")),
                ("greeting", Questions.Sample("Generate a greeting", 50)),
                ("client_roots", Questions.Roots()));

    [McpServerTool(Name = "test_input_required_result_multi_round"), Description("Asks twice, one after the other.")]
    public static string SeveralRounds(RequestContext<CallToolRequestParams> request) => request.Params.RequestState switch
    {
        "round 1" => throw Ask("round 2", ("step2", Questions.Text("Step 2: What is your favorite color?", "color"))),
        "round 2" => $"You like {Questions.Answer(request.Params, "step2", "color")}.",
        _ => throw Ask("round 1", ("step1", Questions.Text("Step 1: What is your name?", "name"))),
    };

    [McpServerTool(Name = "test_input_required_result_tampered_state"), Description("Expects its state back, unchanged.")]
    public static string Tampered(RequestContext<CallToolRequestParams> request) =>
        request.Params.RequestState is null ? throw Ask("untouched", ("confirm", Questions.Confirm())) : $"The state is {request.Params.RequestState}.";

    [McpServerTool(Name = "test_input_required_result_capabilities"), Description("Asks only what the client can answer.")]
    public static string Capabilities(RequestContext<CallToolRequestParams> request)
    {
        if (request.Params.InputResponses is { Count: > 0 } answers)
            return $"Got {answers.Count}.";
        var client = request.JsonRpcRequest.Context?.ClientCapabilities;
        List<(string, InputRequest)> questions = [];
        if (client?.Sampling is not null)
            questions.Add(("capital_question", Questions.Sample("What is the capital of France?", 100)));
        if (client?.Elicitation is not null)
            questions.Add(("user_name", Questions.Text("What is your name?", "name")));
        if (client?.Roots is not null)
            questions.Add(("client_roots", Questions.Roots()));
        return questions.Count == 0 ? "The client can answer nothing." : throw Ask([.. questions]);
    }

    private static InputRequiredException Ask(params (string Name, InputRequest Question)[] questions) => Ask(null!, questions);

    private static InputRequiredException Ask(string state, params (string Name, InputRequest Question)[] questions) =>
        new(questions.ToDictionary(question => question.Name, question => question.Question), state);
}
