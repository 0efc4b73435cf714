using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mcp.HighAvailability.Lab.Up;

/// <summary>Running processes, for other programs: <c>cluster.json</c>.</summary>
internal sealed record ClusterFile(
    Uri Endpoint,
    IReadOnlyList<ClusterFile.BalancerEntry> Balancers,
    IReadOnlyList<ClusterFile.ReplicaEntry> Replicas,
    ClusterFile.NginxEntry? Nginx,
    ClusterFile.RedisEntry? Redis,
    Uri? Dashboard)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
    };

    /// <summary>A balancer that is healthy.</summary>
    public sealed record BalancerEntry(int Pid, Uri Url);

    /// <summary>A replica that is healthy.</summary>
    public sealed record ReplicaEntry(string Id, int Pid, Uri Url);

    /// <summary>The nginx, if one was asked for.</summary>
    public sealed record NginxEntry(int Pid, Uri Url);

    /// <summary>The Redis in use; the process id is null if Lab did not start it.</summary>
    public sealed record RedisEntry(int? Pid, string ConnectionString);

    /// <summary>Replaces the file in one step: a reader sees the old or the new one, never half of it.</summary>
    public void WriteTo(string path)
    {
        var temporary = path + ".new";
        // A connection string may hold a password.
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var file = new FileStream(temporary, options))
            JsonSerializer.Serialize(file, this, Json);
        File.Move(temporary, path, overwrite: true);
    }
}
