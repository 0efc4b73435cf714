using Mcp.HighAvailability.Balancer.Routing;
using Mcp.HighAvailability.Redis;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddPrometheusMetrics();
builder.AddRedisClient("redis");
builder.Services.AddRedisReplicaRegistry();
builder.Services.AddMcpBalancer();

var app = builder.Build();
app.MapDefaultEndpoints();
app.MapMcpBalancer(app.PrometheusText());
app.Run();
