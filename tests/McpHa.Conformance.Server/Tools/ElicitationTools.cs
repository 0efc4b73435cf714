using System.ComponentModel;
using System.Text.Json;
using Mcp.HighAvailability;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;
using static ModelContextProtocol.Protocol.ElicitRequestParams;

namespace McpHa.Conformance.Tools;

/// <summary>Tools that ask the user, with every kind of schema.</summary>
[McpServerToolType]
[Rerun(true)]
public static class ElicitationTools
{
    [McpServerTool(Name = "test_elicitation"), Description("Asks for a name and an address.")]
    public static async Task<string> Ask(McpServer server, [Description("What to ask.")] string message, CancellationToken cancellationToken)
    {
        var answer = await server.ElicitAsync(new ElicitRequestParams
        {
            Message = message,
            RequestedSchema = new()
            {
                Properties =
                {
                    ["username"] = new StringSchema { Description = "User's response" },
                    ["email"] = new StringSchema { Description = "User's email address" },
                },
                Required = ["username", "email"],
            },
        }, cancellationToken);
        return $"User response: {Describe(answer)}";
    }

    [McpServerTool(Name = "test_elicitation_sep1034_defaults"), Description("Asks with a default for every primitive type.")]
    public static Task<string> AskWithDefaults(McpServer server, CancellationToken cancellationToken) => AskAsync(server, new()
    {
        Properties =
        {
            ["name"] = new StringSchema { Default = "John Doe" },
            ["age"] = new NumberSchema { Type = "integer", Default = 30 },
            ["score"] = new NumberSchema { Default = 95.5 },
            ["status"] = new UntitledSingleSelectEnumSchema { Enum = ["active", "inactive", "pending"], Default = "active" },
            ["verified"] = new BooleanSchema { Default = true },
        },
    }, cancellationToken);

    [McpServerTool(Name = "test_elicitation_sep1330_enums"), Description("Asks with every kind of enumeration.")]
    public static Task<string> AskForChoices(McpServer server, CancellationToken cancellationToken) => AskAsync(server, new()
    {
        Properties =
        {
            ["untitledSingle"] = new UntitledSingleSelectEnumSchema { Enum = ["option1", "option2", "option3"] },
            ["titledSingle"] = new TitledSingleSelectEnumSchema { OneOf = Titled("Option") },
            ["legacyEnum"] = new LegacyTitledEnumSchema { Enum = ["opt1", "opt2", "opt3"], EnumNames = ["Option One", "Option Two", "Option Three"] },
            ["untitledMulti"] = new UntitledMultiSelectEnumSchema { Items = new() { Enum = ["option1", "option2", "option3"] } },
            ["titledMulti"] = new TitledMultiSelectEnumSchema { Items = new() { AnyOf = Titled("Choice") } },
        },
    }, cancellationToken);

    private static async Task<string> AskAsync(McpServer server, RequestSchema schema, CancellationToken cancellationToken) =>
        $"Elicitation completed: {Describe(await server.ElicitAsync(new ElicitRequestParams { Message = "Please review and update", RequestedSchema = schema }, cancellationToken))}";

    private static List<EnumSchemaOption> Titled(string noun) =>
        [new() { Const = "value1", Title = $"First {noun}" }, new() { Const = "value2", Title = $"Second {noun}" }, new() { Const = "value3", Title = $"Third {noun}" }];

    private static string Describe(ElicitResult answer) => $"action={answer.Action}, content={JsonSerializer.Serialize(answer.Content)}";
}
