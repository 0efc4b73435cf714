using Aspire.Hosting.ApplicationModel;
using McpHa.AppHost;
#if (compose || kubernetes)
using McpHa.AppHost.Deployment;
#endif

StartErrors.ShowMessageOnly();
var builder = DistributedApplication.CreateBuilder(args);

// Sessions, their journal and the replica directory: all that the replicas share.
#if (existingRedis)
var redis = builder.AddConnectionString("redis");
#else
var redis = builder.AddClusterRedis("redis");
#endif

// Whoever has it may drain replicas: the commands below do, and the cluster page asks for it.
var operationsKey = builder.AddParameter("operations-key", new GenerateParameterDefault { MinLength = 32, Special = false }, secret: true);

// The way in for clients. It has no reference to the servers: it finds the replicas where they enter themselves, in Redis.
var balancer = builder.AddProject<Projects.McpHa_Balancer>("balancer")
    .WithReference(redis)
    .WaitFor(redis)
    .WithEnvironment("Balancer__Operations__Key", operationsKey)
    .WithDashboardLink()
    .DisableForwardedHeaders() // or a client would choose the address that its requests are counted by
    .WithHttpHealthCheck("/health")
    .WithExternalHttpEndpoints()
    .WithUrlForEndpoint("http", url => url.DisplayText = "Cluster page")
    .WithUrlForEndpoint("http", _ => new() { Url = "/mcp", DisplayText = "MCP endpoint" });

// The MCP server, a resource per replica: each has its own address, health, log, and commands to drain and to kill it.
var servers = builder.AddReplicas<Projects.McpHa_Server>("server");
foreach (var server in servers)
{
    server
        .WithReference(redis)
        .WaitFor(redis)
        .DisableForwardedHeaders()
        .WithHttpHealthCheck("/health")
        .WithReplicaCommands(balancer, operationsKey);

    balancer.WaitFor(server);
}

#if (compose || kubernetes)
// What "aspire publish" writes.
builder.AddDeployment(redis, balancer, servers);

#endif
builder.Build().Run();
