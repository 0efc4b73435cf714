namespace Mcp.HighAvailability.Hosting.Start;

/// <summary>Prints a wrong setting as a message, without a stack trace.</summary>
internal static class StartErrors
{
    static StartErrors() => AppDomain.CurrentDomain.UnhandledException += static (_, unhandled) =>
    {
        if (unhandled.ExceptionObject is not McpHostingException error)
            return;
        Console.Error.WriteLine($"error: {error.Message}");
        Environment.Exit(1);
    };

    /// <summary>Does so from now on. Further calls change nothing.</summary>
    public static void ShowMessageOnly()
    {
        // The static constructor has done it.
    }
}
