using Aspire.Hosting.ApplicationModel;
using McpHa.AppHost;
using Microsoft.Extensions.Configuration;

var builder = DistributedApplication.CreateBuilder(args);

// Sessions, their journal and the replica directory: all that the replicas share.
#if (existingRedis)
var redis = builder.AddConnectionString("redis");
#else
var redis = builder.AddClusterRedis("redis");
#endif

// The MCP server. Each replica enters its own address into Redis and serves whatever session reaches it.
var server = builder.AddProject<Projects.McpHa_Server>("server")
    .WithReference(redis)
    .WaitFor(redis)
    .WithReplicas(builder.Configuration.GetValue("Replicas", 3))
    .WithHttpHealthCheck("/health")
    .WithUrlForEndpoint("http", url => url.DisplayText = "Any replica");

// The way in for clients. It has no reference to the server's endpoint, which picks a replica at random, a dead one included:
// it finds the replicas where they entered themselves.
builder.AddProject<Projects.McpHa_Balancer>("balancer")
    .WithReference(redis)
    .WaitFor(redis)
    .WaitFor(server)
    .WithHttpHealthCheck("/health")
    .WithExternalHttpEndpoints()
    .WithUrlForEndpoint("http", url => url.DisplayText = "Live page")
    .WithUrlForEndpoint("http", _ => new ResourceUrlAnnotation { Url = "/mcp", DisplayText = "MCP endpoint" });

builder.Build().Run();
