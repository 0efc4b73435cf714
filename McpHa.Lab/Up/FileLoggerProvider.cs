using Microsoft.Extensions.Logging;

namespace McpHa.Lab.Up;

/// <summary>Appends the log of a host in this process to a file, as the output of a process of its own would be.</summary>
internal sealed class FileLoggerProvider : ILoggerProvider
{
    private readonly Lock _writing = new();
    private readonly StreamWriter _file;

    public FileLoggerProvider(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        _file = new StreamWriter(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true };
    }

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void Dispose()
    {
        lock (_writing)
            _file.Dispose();
    }

    private void Write(string line)
    {
        lock (_writing)
        {
            if (_file.BaseStream is { CanWrite: true })
                _file.WriteLine(line);
        }
    }

    private sealed class Logger(FileLoggerProvider provider, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            provider.Write($"{TimeProvider.System.GetUtcNow():O} {logLevel} {category}: {formatter(state, exception)}{(exception is null ? "" : $"\n{exception}")}");
    }
}
