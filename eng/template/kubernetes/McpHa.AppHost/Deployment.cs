using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Kubernetes.Resources;
using Mcp.HighAvailability.Hosting;
using WorkloadDeployment = Aspire.Hosting.Kubernetes.Resources.Deployment;

namespace Aspire.Hosting;

/// <summary>The application as Kubernetes runs it: <c>aspire publish</c> writes a Helm chart.</summary>
internal static class Deployment
{
    // A rolling deploy, or the drain of a node, takes one balancer at a time.
    private const int Balancers = 2;

    public static void AddDeployment(this IDistributedApplicationBuilder builder)
    {
        builder.AddKubernetesEnvironment("kubernetes").WithProperties(environment => environment.DefaultStorageType = "pvc");
        foreach (var project in builder.Resources.OfType<ProjectResource>().ToList())
        {
            var isBalancer = project.HasAnnotationOfType<McpBalancerAnnotation>();
            builder.CreateResourceBuilder(project).PublishAsKubernetesService(service =>
            {
                if (isBalancer)
                    service.Service!.Spec.Type = "LoadBalancer";
                if (service.Workload is WorkloadDeployment deployment)
                    Complete(deployment, project, isBalancer ? Balancers : project.GetReplicaCount());
            });
        }
    }

    private static void Complete(WorkloadDeployment deployment, ProjectResource project, int replicas)
    {
        deployment.Spec.Replicas = replicas;
        deployment.Spec.Strategy.RollingUpdate = new() { MaxUnavailable = 0, MaxSurge = 1 };

        var pods = deployment.Spec.Template.Spec;
        if (project.TryGetLastAnnotation<McpGracePeriodAnnotation>(out var period))
            pods.TerminationGracePeriodSeconds = (long)period.Grace.TotalSeconds;
        foreach (var container in pods.Containers)
        {
            container.ReadinessProbe = Probe("/health", periodSeconds: 2, failureThreshold: 3);
            container.LivenessProbe = Probe("/alive", periodSeconds: 5, failureThreshold: 6);
        }

        // On as many nodes as there are: a lost node takes few replicas with it.
        pods.TopologySpreadConstraints.Add(new()
        {
            MaxSkew = 1,
            TopologyKey = "kubernetes.io/hostname",
            WhenUnsatisfiable = "ScheduleAnyway",
            LabelSelector = deployment.Spec.Selector,
        });
    }

    // By the name of the port.
    private static ProbeV1 Probe(string path, int periodSeconds, int failureThreshold) => new()
    {
        HttpGet = new() { Path = path, Port = "http", Scheme = "HTTP" },
        PeriodSeconds = periodSeconds,
        TimeoutSeconds = 2,
        FailureThreshold = failureThreshold,
    };
}
