using ModelContextProtocol;

namespace McpHa.Server.Tools;

/// <summary>Checks of tool arguments. The message reaches the model, so it says what would be right.</summary>
internal static class Require
{
    public static void Between(double value, double low, double high, string argument)
    {
        if (!(value >= low && value <= high))
            throw new McpException($"'{argument}' must be between {low} and {high}, not {value}.");
    }

    public static void Text(string? value, string argument)
    {
        if (string.IsNullOrWhiteSpace(value))
            throw new McpException($"'{argument}' must not be empty.");
    }
}
