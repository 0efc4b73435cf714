namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>Reads the end of a log that another process is writing.</summary>
internal static class LogTail
{
    private const int MaxBytes = 64 * 1024;

    public static IReadOnlyList<string> Read(string path, int lines)
    {
        if (!File.Exists(path))
            return [];

        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        file.Seek(-Math.Min(file.Length, MaxBytes), SeekOrigin.End);
        using var reader = new StreamReader(file);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(lines).ToArray();
    }
}
