namespace Microsoft.Extensions.DependencyInjection;

/// <summary>
/// Stands in for Microsoft.Extensions.ServiceDiscovery and Microsoft.Extensions.Http.Resilience. Addresses are used as they are
/// written and a failed request is not repeated: nothing of this application depends on either.
/// </summary>
internal static class HttpClients
{
    public static IServiceCollection AddServiceDiscovery(this IServiceCollection services) => services;

    public static IHttpClientBuilder AddServiceDiscovery(this IHttpClientBuilder http) => http;

    public static IHttpClientBuilder AddStandardResilienceHandler(this IHttpClientBuilder http) => http;
}
