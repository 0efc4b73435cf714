namespace McpHa.Tests;

/// <summary>A machine that has only the programs it is given: the PATH of this process names nothing else until it is disposed.</summary>
internal sealed class Machine : IDisposable
{
    private readonly string? _before = Environment.GetEnvironmentVariable("PATH");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("machine-");

    public Machine() => Environment.SetEnvironmentVariable("PATH", _folder.FullName);

    public string Folder => _folder.FullName;

    /// <summary>Adds a program that ends with an exit code.</summary>
    public string Add(string program, int exitCode)
    {
        var file = Path.Combine(Folder, program);
        File.WriteAllText(file, $"#!/bin/sh\nexit {exitCode}\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return file;
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("PATH", _before);
        _folder.Delete(recursive: true);
    }
}
