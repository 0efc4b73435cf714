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
        if (app.Urls.Count == 0)
            app.Urls.Add(DefaultAddress);
        app.Urls.Add(address.GetLeftPart(UriPartial.Authority));
        return new(address.Port);
    }

    public bool IsMeant(HttpContext context) => port is null || context.Connection.LocalPort == port;
}
