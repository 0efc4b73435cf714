namespace McpHa.Tests.Blocks;

/// <summary>
/// The members that the publish targets of the template use, of packages that the tests cannot restore everywhere: Aspire.Hosting.Docker and
/// Aspire.Hosting.Kubernetes.
/// </summary>
internal static class Publishers
{
    public const string Compose = """
        namespace Aspire.Hosting.Docker.Resources.ServiceNodes
        {
            public sealed class Healthcheck
            {
                public List<string> Test { get; set; } = [];
                public string? Interval { get; set; }
                public string? Timeout { get; set; }
                public string? StartPeriod { get; set; }
                public int? Retries { get; set; }
            }
            public sealed class Deploy { public int? Replicas { get; set; } }
        }
        namespace Aspire.Hosting.Docker.Resources.ComposeNodes
        {
            public sealed class Service
            {
                public string? Restart { get; set; }
                public string? StopGracePeriod { get; set; }
                public List<string> Ports { get; set; } = [];
                public ServiceNodes.Deploy? Deploy { get; set; }
                public ServiceNodes.Healthcheck? Healthcheck { get; set; }
            }
        }
        namespace Aspire.Hosting
        {
            using Aspire.Hosting.ApplicationModel;
            public static class ComposePublisher
            {
                public static void AddDockerComposeEnvironment(this IDistributedApplicationBuilder builder, string name) { }
                public static void PublishAsDockerComposeService<T>(
                    this IResourceBuilder<T> builder, Action<object, Docker.Resources.ComposeNodes.Service> configure) where T : IComputeResource { }
            }
        }
        """;

    public const string Kubernetes = """
        namespace Aspire.Hosting.Kubernetes.Resources
        {
            public abstract class Workload;
            public sealed class Deployment : Workload { public DeploymentSpec Spec { get; set; } = new(); }
            public sealed class DeploymentSpec
            {
                public int? Replicas { get; set; }
                public Selector Selector { get; set; } = new();
                public Strategy Strategy { get; set; } = new();
                public Template Template { get; set; } = new();
            }
            public sealed class Selector;
            public sealed class Strategy { public RollingUpdate RollingUpdate { get; set; } = new(); }
            public sealed class RollingUpdate { public int? MaxUnavailable { get; set; } public int? MaxSurge { get; set; } }
            public sealed class Template { public Pods Spec { get; set; } = new(); }
            public sealed class Pods
            {
                public long? TerminationGracePeriodSeconds { get; set; }
                public List<Container> Containers { get; } = [];
                public List<SpreadConstraint> TopologySpreadConstraints { get; } = [];
            }
            public sealed class Container { public ProbeV1? ReadinessProbe { get; set; } public ProbeV1? LivenessProbe { get; set; } }
            public sealed class SpreadConstraint
            {
                public int? MaxSkew { get; set; }
                public string TopologyKey { get; set; } = "";
                public string WhenUnsatisfiable { get; set; } = "";
                public Selector LabelSelector { get; set; } = new();
            }
            public sealed class ProbeV1
            {
                public HttpGet? HttpGet { get; set; }
                public int? PeriodSeconds { get; set; }
                public int? TimeoutSeconds { get; set; }
                public int? FailureThreshold { get; set; }
            }
            public sealed class HttpGet
            {
                public string Path { get; set; } = "";
                public string Port { get; set; } = "";
                public string Scheme { get; set; } = "";
            }
            public sealed class Service { public ServiceSpec Spec { get; set; } = new(); }
            public sealed class ServiceSpec { public string Type { get; set; } = ""; }
        }
        namespace Aspire.Hosting.Kubernetes
        {
            public sealed class Environment { public string DefaultStorageType { get; set; } = ""; }
            public sealed class KubernetesResource { public Resources.Service? Service { get; set; } public Resources.Workload? Workload { get; set; } }
        }
        namespace Aspire.Hosting
        {
            using Aspire.Hosting.ApplicationModel;
            public static class KubernetesPublisher
            {
                public static Kubernetes.Environment AddKubernetesEnvironment(this IDistributedApplicationBuilder builder, string name) => new();
                public static void WithProperties(this Kubernetes.Environment environment, Action<Kubernetes.Environment> configure) { }
                public static void PublishAsKubernetesService<T>(
                    this IResourceBuilder<T> builder, Action<Kubernetes.KubernetesResource> configure) where T : IComputeResource { }
            }
        }
        """;
}
