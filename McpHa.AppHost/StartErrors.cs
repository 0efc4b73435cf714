namespace McpHa.AppHost;

/// <summary>Shows a wrong setting as a message, without a stack trace.</summary>
internal static class StartErrors
{
    public static void ShowMessageOnly() => AppDomain.CurrentDomain.UnhandledException += static (_, unhandled) =>
    {
        if (unhandled.ExceptionObject is not DistributedApplicationException error)
            return;
        Console.Error.WriteLine($"error: {error.Message}");
        Environment.Exit(1);
    };
}
