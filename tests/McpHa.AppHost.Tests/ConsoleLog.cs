using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace McpHa.Tests;

/// <summary>Keeps what the library for the AppHost logs.</summary>
internal sealed class ConsoleLog : ILoggerProvider
{
    private readonly ConcurrentQueue<string> _messages = [];

    public IReadOnlyCollection<string> Messages => _messages;

    public ILogger CreateLogger(string categoryName) =>
        new Logger(categoryName.StartsWith("Mcp.HighAvailability.Hosting.", StringComparison.Ordinal) ? _messages : null);

    public void Dispose()
    {
        // The messages stay for the test.
    }

    private sealed class Logger(ConcurrentQueue<string>? messages) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => messages is not null && logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                messages!.Enqueue(formatter(state, exception));
        }
    }
}
