using McpHa.Balancer.Routing;
using McpHa.HighAvailability.Redis;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddPrometheusMetrics();
builder.AddRedisClient("redis");
builder.Services.AddRedisReplicaRegistry();
builder.Services.AddBalancer();

var app = builder.Build();
app.MapDefaultEndpoints();
app.MapBalancer();
app.Run();
