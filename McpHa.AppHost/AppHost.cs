var builder = DistributedApplication.CreateBuilder(args);

// What the replicas share: sessions, their journals, and the directory of replicas.
var store = builder.AddMcpStore("redis");

// The MCP server. Each replica has its own address, health, log, and commands to drain and to kill it.
var cluster = builder.AddMcpCluster<Projects.McpHa_Server>("server", replicas: 3)
    .WithReference(store);

// The address for clients, and the cluster page. It finds the replicas in the store.
builder.AddMcpBalancer<Projects.McpHa_Balancer>("balancer", cluster);

builder.Build().Run();
