using System.Runtime.InteropServices;

namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>Finds programs.</summary>
internal static class Executables
{
    /// <summary>The <c>dotnet</c> that runs Lab, so that children use the same runtime.</summary>
    public static string DotNet { get; } = FindDotNet();

    /// <summary>Full path of a program on PATH, or <see langword="null"/>.</summary>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? name + ".exe" : name))
            .FirstOrDefault(File.Exists);

    private static string FindDotNet()
    {
        var name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        // <root>/shared/Microsoft.NETCore.App/<version>/
        var besideRuntime = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", name));
        return File.Exists(besideRuntime) ? besideRuntime : name;
    }
}
