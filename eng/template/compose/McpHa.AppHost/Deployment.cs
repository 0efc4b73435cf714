using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Docker.Resources.ComposeNodes;
using Aspire.Hosting.Docker.Resources.ServiceNodes;
using Mcp.HighAvailability.Hosting;

namespace Aspire.Hosting;

/// <summary>The application as Docker Compose runs it: <c>aspire publish</c> writes <c>docker-compose.yaml</c> and <c>.env</c>.</summary>
internal static class Deployment
{
    // Of the machine, where clients and a proxy with TLS find the balancer.
    private const int Port = 5200;

    public static void AddDeployment(this IDistributedApplicationBuilder builder)
    {
        builder.AddDockerComposeEnvironment("compose");
        foreach (var store in builder.Resources.OfType<ContainerResource>().Where(resource => resource.HasAnnotationOfType<McpStoreAnnotation>()).ToList())
        {
            builder.CreateResourceBuilder(store).PublishAsDockerComposeService((_, service) =>
            {
                service.Restart = "always";
                service.Healthcheck = Check("redis-cli --no-auth-warning -a \"$$REDIS_PASSWORD\" ping | grep -q PONG");
            });
        }

        foreach (var project in builder.Resources.OfType<ProjectResource>().ToList())
            builder.CreateResourceBuilder(project).PublishAsDockerComposeService((_, service) => Complete(service, project));
    }

    private static void Complete(Service service, ProjectResource project)
    {
        service.Restart = "always";
        if (project.TryGetLastAnnotation<McpGracePeriodAnnotation>(out var period))
            service.StopGracePeriod = $"{period.Grace.TotalSeconds:0}s";
        if (project.GetReplicaCount() is > 1 and var replicas)
            service.Deploy = new() { Replicas = replicas };
        if (project.HasAnnotationOfType<McpBalancerAnnotation>())
            service.Ports = [.. service.Ports.Select(port => $"{Port}:{port}")];

        // The image has no HTTP client; its shell can do as much.
        service.Healthcheck = Check("exec 3<>/dev/tcp/127.0.0.1/$$HTTP_PORTS && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q ' 200 ' <&3", "bash");
    }

    private static Healthcheck Check(string command, string shell = "sh") => new()
    {
        Test = ["CMD", shell, "-c", command],
        Interval = "5s",
        Timeout = "3s",
        StartPeriod = "30s",
        Retries = 3,
    };
}
