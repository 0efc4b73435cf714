#if (compose)
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Docker.Resources.ComposeNodes;
using Aspire.Hosting.Docker.Resources.ServiceNodes;

namespace McpHa.AppHost.Deployment;

/// <summary>The application as Docker Compose runs it: <c>aspire publish</c> writes <c>docker-compose.yaml</c> and <c>.env</c>.</summary>
internal static class ComposeDeployment
{
    // Of the machine, where clients and a proxy with TLS find the balancer.
    private const int Port = 5200;

    public static void AddDeployment(
        this IDistributedApplicationBuilder builder,
        IResourceBuilder<IResourceWithConnectionString> redis,
        IResourceBuilder<ProjectResource> balancer,
        IEnumerable<IResourceBuilder<ProjectResource>> servers)
    {
        builder.AddDockerComposeEnvironment("compose");
#if (!existingRedis)
        redis.KeepData(container => container.PublishAsDockerComposeService((_, service) =>
        {
            service.Restart = "always";
            service.Healthcheck = Check("redis-cli --no-auth-warning -a \"$$REDIS_PASSWORD\" ping | grep -q PONG");
        }));
#endif

        balancer.AllowHosts(builder).WithDrain(Drain.Balancer).Publish(Drain.Balancer)
            .PublishAsDockerComposeService((_, service) => service.Ports = [.. service.Ports.Select(port => $"{Port}:{port}")]);
        foreach (var server in servers)
            server.WithDrain(Drain.Server).Publish(Drain.Server);
    }

    private static IResourceBuilder<ProjectResource> Publish(this IResourceBuilder<ProjectResource> project, Drain drain)
    {
        var replicas = project.Resource.GetReplicaCount();
        return project.PublishAsDockerComposeService((_, service) =>
        {
            service.Restart = "always";
            service.StopGracePeriod = $"{drain.Grace.TotalSeconds:0}s";
            if (replicas > 1)
                service.Deploy = new() { Replicas = replicas };

            // The image has no HTTP client; its shell can do as much.
            service.Healthcheck = Check("exec 3<>/dev/tcp/127.0.0.1/$$HTTP_PORTS && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q ' 200 ' <&3", "bash");
        });
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
#endif
