using System.Diagnostics;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>Another build of Lab, whose servers are measured beside those of this one: the same code on another version of the Redis client.</summary>
/// <param name="Assembly">Its assembly file.</param>
internal sealed record OtherBuild(string Assembly)
{
    private const string Client = "StackExchange.Redis";

    /// <summary>The Redis client of that build.</summary>
    public string Name =>
        $"{Client} {FileVersionInfo.GetVersionInfo(Path.Combine(Path.GetDirectoryName(Assembly)!, Client + ".dll")).ProductVersion?.Split('+')[0]}";

    /// <summary>Finds the build in a folder.</summary>
    /// <exception cref="LabException">There is none.</exception>
    public static OtherBuild In(string folder)
    {
        var assembly = Path.GetFullPath(Path.Combine(folder, Path.GetFileName(typeof(OtherBuild).Assembly.Location)));
        return File.Exists(assembly)
            ? new(assembly)
            : throw new LabException(
                $"{assembly} is missing: build it with 'dotnet build src/Mcp.HighAvailability.Lab -c Release -p:RedisClient=VERSION --artifacts-path FOLDER'.");
    }
}
