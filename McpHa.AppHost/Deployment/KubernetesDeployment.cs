#if (kubernetes)
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Kubernetes.Resources;
using WorkloadDeployment = Aspire.Hosting.Kubernetes.Resources.Deployment;

namespace McpHa.AppHost.Deployment;

/// <summary>The application as Kubernetes runs it: <c>aspire publish</c> writes a Helm chart.</summary>
internal static class KubernetesDeployment
{
    // Whoever rolls a deployment out, or a node, takes one balancer at a time.
    private const int Balancers = 2;

    public static void AddDeployment(
        this IDistributedApplicationBuilder builder,
        IResourceBuilder<IResourceWithConnectionString> redis,
        IResourceBuilder<ProjectResource> balancer,
        IEnumerable<IResourceBuilder<ProjectResource>> servers)
    {
        builder.AddKubernetesEnvironment("kubernetes").WithProperties(environment => environment.DefaultStorageType = "pvc");
#if (!existingRedis)
        redis.KeepData(container => container);
#endif

        balancer.AllowHosts(builder).WithDrain(Drain.Balancer).Publish(Drain.Balancer, Balancers)
            .PublishAsKubernetesService(service => service.Service!.Spec.Type = "LoadBalancer");
        foreach (var server in servers)
            server.WithDrain(Drain.Server).Publish(Drain.Server, server.Resource.GetReplicaCount());
    }

    private static IResourceBuilder<ProjectResource> Publish(this IResourceBuilder<ProjectResource> project, Drain drain, int replicas) => project
        .PublishAsKubernetesService(service =>
        {
            if (service.Workload is not WorkloadDeployment deployment)
                return;

            deployment.Spec.Replicas = replicas;
            deployment.Spec.Strategy.RollingUpdate = new() { MaxUnavailable = 0, MaxSurge = 1 };

            var pods = deployment.Spec.Template.Spec;
            pods.TerminationGracePeriodSeconds = (long)drain.Grace.TotalSeconds;
            foreach (var container in pods.Containers)
            {
                container.ReadinessProbe = Probe("/health", periodSeconds: 2, failureThreshold: 3);
                container.LivenessProbe = Probe("/alive", periodSeconds: 5, failureThreshold: 6);
            }

            // On as many nodes as there are: one that is lost takes few replicas with it.
            pods.TopologySpreadConstraints.Add(new()
            {
                MaxSkew = 1,
                TopologyKey = "kubernetes.io/hostname",
                WhenUnsatisfiable = "ScheduleAnyway",
                LabelSelector = deployment.Spec.Selector,
            });
        });

    // By the name of the port.
    private static ProbeV1 Probe(string path, int periodSeconds, int failureThreshold) => new()
    {
        HttpGet = new() { Path = path, Port = "http", Scheme = "HTTP" },
        PeriodSeconds = periodSeconds,
        TimeoutSeconds = 2,
        FailureThreshold = failureThreshold,
    };
}
#endif
