using Microsoft.Extensions.DependencyInjection;

namespace Mcp.HighAvailability;

/// <summary>What <c>WithHighAvailability</c> hands to its callback: backends and options are added to it by extension methods.</summary>
public sealed class HighAvailabilityBuilder
{
    internal HighAvailabilityBuilder(IServiceCollection services) => Services = services;

    /// <summary>The services of the server.</summary>
    public IServiceCollection Services { get; }
}
