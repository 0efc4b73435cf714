using Microsoft.Extensions.DependencyInjection;

namespace Mcp.HighAvailability;

/// <summary>Builder that <c>WithHighAvailability</c> passes to its callback. Extension methods add backends and options to it.</summary>
public sealed class HighAvailabilityBuilder
{
    internal HighAvailabilityBuilder(IServiceCollection services) => Services = services;

    /// <summary>The services of the server.</summary>
    public IServiceCollection Services { get; }
}
