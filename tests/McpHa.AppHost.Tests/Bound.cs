namespace McpHa.Tests;

internal static class Bound
{
    /// <summary>Ends a test that would hang. The waits of <see cref="ApplicationFixture"/> end before, and say what the resources were doing.</summary>
    public const int Milliseconds = 4 * 60 * 1000;
}
