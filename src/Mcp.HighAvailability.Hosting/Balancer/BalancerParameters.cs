using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Mcp.HighAvailability.Hosting.Balancer;

/// <summary>The parameters of a balancer. Several balancers share them.</summary>
internal static class BalancerParameters
{
    private const string OperationsKey = "operations-key";
    private const string AllowedHosts = "allowed-hosts";

    public static IResourceBuilder<ParameterResource> AddOperationsKey(this IDistributedApplicationBuilder builder) =>
        builder.Find(OperationsKey) ?? builder
            .AddParameter(OperationsKey, new GenerateParameterDefault { MinLength = 32, Special = false }, secret: true)
            .WithDescription(
                "Key of the operators: with it the balancer drains and resumes replicas. The commands of the replicas send it; the cluster page asks for it. "
                + "Without Parameters:operations-key it is a new one at every start. 16 letters and digits or more.");

    public static IResourceBuilder<ParameterResource> AddAllowedHosts(this IDistributedApplicationBuilder builder) =>
        builder.Find(AllowedHosts) ?? Describe(builder.ExecutionContext.IsPublishMode
            ? builder.AddParameter(AllowedHosts)
            : builder.AddParameter(AllowedHosts, () => builder.Configuration[$"Parameters:{AllowedHosts}"] ?? "localhost"));

    private static IResourceBuilder<ParameterResource> Describe(IResourceBuilder<ParameterResource> parameter) => parameter.WithDescription(
        "Host names by which clients reach the balancer, such as mcp.example.com;*.example.org. It answers other names with 403. localhost always works.");

    private static IResourceBuilder<ParameterResource>? Find(this IDistributedApplicationBuilder builder, string name) =>
        builder.Resources.OfType<ParameterResource>().FirstOrDefault(parameter => parameter.Name == name) is { } known ? builder.CreateResourceBuilder(known)
            : null;
}
