using Mcp.HighAvailability.Balancer.Operations;
using Mcp.HighAvailability.Security;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Balancer.Routing;

/// <summary>Settings of the balancer. Bound from the configuration section <c>Balancer</c>.</summary>
public sealed class BalancerOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string SectionName = "Balancer";

    /// <summary>Largest request body in bytes; larger ones are answered with 413. Default: 4 MiB.</summary>
    public int MaxRequestBodySize { get; set; } = 4 * 1024 * 1024;

    /// <summary>
    /// Host names by which clients reach this balancer, separated by semicolons; <c>*.example.com</c> for all below, <c>*</c> for any. IP addresses,
    /// loopback names, names without a dot and what ASP.NET Core's <c>AllowedHosts</c> lists are always allowed; any other <c>Host</c> is answered
    /// with 403 (DNS rebinding). Default: no others.
    /// </summary>
    /// <remarks>Which origins may send requests is checked by the replicas, which see <c>Origin</c> as the client sent it.</remarks>
    public string AllowedHosts { get; set; } = "";

    /// <summary>How long a request is held while no replica can serve it. Default: 30 seconds.</summary>
    public TimeSpan HoldTime { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Most bytes of request bodies at the same time, from their arrival to the end of their requests; beyond it requests are refused with 503. Never
    /// less than one body of <see cref="MaxRequestBodySize"/>. Default: a quarter of the memory that the process may use, at most 1 GiB.
    /// </summary>
    public long? MaxBodyBytes { get; set; }

    /// <summary>Most requests that wait for a replica at the same time; beyond it they are refused with 503. Default: 10,000.</summary>
    public int MaxHeldRequests { get; set; } = 10_000;

    /// <summary>
    /// Requests per second of one client address; beyond it 429. 0: no limit. Clients behind one proxy share an address. Default: 1,000, and none for
    /// addresses of private networks, which are most likely a proxy's.
    /// </summary>
    public int? RequestsPerSecond { get; set; }

    /// <summary>Requests that may come at once after a pause. Default: twice <see cref="RequestsPerSecond"/>.</summary>
    public int? Burst { get; set; }

    /// <summary>Whether the live page, and the same as JSON, is served. Default: true.</summary>
    public bool StatusPage { get; set; } = true;

    /// <summary>Address at which alone the live page is served, such as <c>http://127.0.0.1:5201</c>. Default: the balancer's own.</summary>
    public Uri? StatusAddress { get; set; }

    /// <summary>
    /// Whether the page's figures are served as Prometheus text, at <c>/metrics</c> of the same address, where the application can do so. Default:
    /// true.
    /// </summary>
    public bool Metrics { get; set; } = true;

    /// <summary>
    /// Address of the Aspire dashboard, such as <c>http://localhost:18888</c>: the page links to the traces of sessions there. Default: no links.
    /// </summary>
    public Uri? Dashboard { get; set; }

    /// <summary>Access to draining and resuming of replicas, at the address of the live page. Default: off.</summary>
    public OperationsOptions Operations { get; set; } = new();

    /// <summary>
    /// How long the balancer goes on taking connections after SIGTERM, while <c>/health</c> already says that it is unhealthy: as long as whatever
    /// is in front needs to notice. Default: 5 seconds.
    /// </summary>
    public TimeSpan DrainTime { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Sessions whose owner is remembered. A forgotten one costs a hop between replicas. Default: 100,000.</summary>
    public int CachedOwners { get; set; } = 100_000;
}

internal sealed class BalancerOptionsValidator : IValidateOptions<BalancerOptions>
{
    public ValidateOptionsResult Validate(string? name, BalancerOptions options)
    {
        List<string> failures = [];
        if (options.MaxRequestBodySize is < 1024 or > 1024 * 1024 * 1024)
            failures.Add($"Balancer:MaxRequestBodySize is {options.MaxRequestBodySize}; set it between 1024 (1 KiB) and 1073741824 (1 GiB).");
        if (HostRule.Split(options.AllowedHosts).Any(h => h.Contains('/', StringComparison.Ordinal) || h.Contains(':', StringComparison.Ordinal)))
            failures.Add("Balancer:AllowedHosts must be host names without scheme and port, separated by semicolons, such as mcp.example.com;*.example.org.");
        if (options.HoldTime < TimeSpan.Zero || options.HoldTime > TimeSpan.FromHours(1))
            failures.Add($"Balancer:HoldTime is {options.HoldTime}; set it between zero (no failover is waited for) and one hour, e.g. 00:00:30.");
        if (options.MaxBodyBytes < options.MaxRequestBodySize)
            failures.Add($"Balancer:MaxBodyBytes is {options.MaxBodyBytes}; set it to Balancer:MaxRequestBodySize ({options.MaxRequestBodySize}) or more, " +
                "or leave it out.");
        if (options.MaxHeldRequests < 1)
            failures.Add($"Balancer:MaxHeldRequests is {options.MaxHeldRequests}; set it to 1 or more, for example 10000.");
        if (options.RequestsPerSecond < 0)
            failures.Add($"Balancer:RequestsPerSecond is {options.RequestsPerSecond}; set it to 0 (no limit) or more.");
        if (options.Burst < 1)
            failures.Add($"Balancer:Burst is {options.Burst}; set it to 1 or more, or leave it out.");
        if (options.StatusAddress is { } status && (!status.IsAbsoluteUri || status.Scheme is not ("http" or "https") || status.PathAndQuery != "/"))
            failures.Add(
                $"Balancer:StatusAddress is {status}; set it to an address with a port and without a path, such as http://127.0.0.1:5201, or leave it out.");
        if (options.Dashboard is { } dashboard && (!dashboard.IsAbsoluteUri || dashboard.Scheme is not ("http" or "https")))
            failures.Add($"Balancer:Dashboard is {dashboard}; set it to the address of the Aspire dashboard, such as http://localhost:18888, or leave it out.");
        if (OperatorKey.Fault(options.Operations.Key) is { } fault)
            failures.Add(fault);
        if (!string.IsNullOrEmpty(options.Operations.Key) && !options.StatusPage)
            failures.Add("Balancer:Operations:Key is set while Balancer:StatusPage is false; operations are served with the page, so turn it on " +
                "(Balancer:StatusAddress can keep it from the public), or leave the key out.");
        if (options.DrainTime < TimeSpan.Zero || options.DrainTime > TimeSpan.FromHours(1))
            failures.Add($"Balancer:DrainTime is {options.DrainTime}; set it between zero (nothing in front looks at /health) and one hour, e.g. 00:00:05.");
        if (options.CachedOwners < 2)
            failures.Add(
                $"Balancer:CachedOwners is {options.CachedOwners}; set it to 2 or more, best to the number of sessions that are used at the same time.");

        return failures.Count > 0 ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;
    }
}
