namespace Mcp.HighAvailability.Lab.Up;

/// <summary>Options of <c>up</c>.</summary>
/// <param name="Replicas">Number of server replicas.</param>
/// <param name="Balancers">Number of balancers; the first listens on <paramref name="Port"/>, each further one on the next port.</param>
/// <param name="Port">Port of the first balancer.</param>
/// <param name="Redis">Connection string of a Redis to use; <see langword="null"/>: start one.</param>
/// <param name="RestartAfter">How long after its death something is started again; <see langword="null"/>: it stays dead.</param>
/// <param name="Dashboard">Whether to start the Aspire dashboard.</param>
/// <param name="Nginx">What an nginx is put in front of, if any.</param>
/// <param name="NginxPort">Its port.</param>
/// <param name="Project">A user's own server project to run in the place of the sample, if any.</param>
/// <param name="EndWithParent">Whether to end when the process that started Lab ends: for tests, whose host may be killed.</param>
/// <param name="Folder">Folder for data, logs and the cluster file.</param>
internal sealed record UpOptions(
    int Replicas,
    int Balancers,
    int Port,
    string? Redis,
    TimeSpan? RestartAfter,
    bool Dashboard,
    NginxFront Nginx,
    int NginxPort,
    string? Project,
    bool EndWithParent,
    string Folder);

/// <summary>Servers behind an nginx.</summary>
internal enum NginxFront
{
    None,
    Replicas,
    Balancers,
}
