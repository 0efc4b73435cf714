namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Where the live page is served: everywhere, or on a port of its own. Told by the port that a request came in by, never by what it says.</summary>
internal sealed class StatusPlace(int? port)
{
    private const string DefaultAddress = "http://localhost:5000"; // ASP.NET Core's own

    public static StatusPlace Of(IEndpointRouteBuilder endpoints, Uri? address)
    {
        if (address is null)
            return new(null);
        if (endpoints is not WebApplication app)
            throw new InvalidOperationException("Balancer:StatusAddress needs a WebApplication. Map the balancer on one, or leave the address out.");

        // An address that is added here replaces those of the settings, so they are added, too.
        if (app.Urls.Count == 0)
        {
            foreach (var configured in Configured(app.Configuration))
                app.Urls.Add(configured);
        }

        app.Urls.Add(address.GetLeftPart(UriPartial.Authority));
        return new(address.Port);
    }

    public bool IsMeant(HttpContext context) => port is null || context.Connection.LocalPort == port;

    // As the host reads them: addresses, else ports, else its default.
    private static IEnumerable<string> Configured(IConfiguration settings)
    {
        if (Words(settings[WebHostDefaults.ServerUrlsKey]) is { Length: > 0 } addresses)
            return addresses;
        string[] ports =
        [
            .. Words(settings[WebHostDefaults.HttpPortsKey]).Select(static port => $"http://*:{port}"),
            .. Words(settings[WebHostDefaults.HttpsPortsKey]).Select(static port => $"https://*:{port}"),
        ];
        return ports.Length > 0 ? ports : [DefaultAddress];
    }

    private static string[] Words(string? setting) =>
        setting?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
}
