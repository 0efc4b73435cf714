using System.Security.Cryptography;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Form of task ids: <c>task-</c> and 40 hex digits, 160 random bits.</summary>
internal static class TaskIds
{
    private const string Prefix = "task-";
    private const int RandomBytes = 20;

    public static string New() => Prefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(RandomBytes));

    public static bool IsWellFormed(string id) =>
        id.Length == Prefix.Length + 2 * RandomBytes && id.StartsWith(Prefix, StringComparison.Ordinal) &&
        !id.AsSpan(Prefix.Length).ContainsAnyExcept("0123456789abcdef");
}
