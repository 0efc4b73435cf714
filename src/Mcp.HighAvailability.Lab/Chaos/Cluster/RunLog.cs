using System.Globalization;

namespace Mcp.HighAvailability.Lab.Chaos.Cluster;

/// <summary>The log of a run itself, beside those of its processes: the faults, their targets and their effects.</summary>
internal sealed class RunLog : IDisposable
{
    private readonly Lock _writing = new();
    private readonly StreamWriter _file;
    private bool _closed;

    public RunLog(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        _file = new StreamWriter(path) { AutoFlush = true };
    }

    /// <summary>Adds a line. From any thread.</summary>
    public void Write(string line)
    {
        lock (_writing)
        {
            if (!_closed)
                _file.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} {line}"));
        }
    }

    public void Dispose()
    {
        lock (_writing)
        {
            _closed = true;
            _file.Dispose();
        }
    }
}
