using Mcp.HighAvailability.Balancer.Routing;
using Mcp.HighAvailability.Redis;

var builder = WebApplication.CreateBuilder(args);
builder.UseInlineSockets(); // nothing in this process blocks a thread
builder.AddServiceDefaults();
builder.AddPrometheusMetrics();

// Otherwise each request gets an Activity and a log scope, also when nothing exports them. Tracing turns them on by itself.
builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
builder.AddRedisClient("redis");
builder.Services.AddRedisReplicaRegistry();
builder.Services.AddMcpBalancer();

var app = builder.Build();
app.MapDefaultEndpoints();
app.MapMcpBalancer(app.PrometheusText());
app.Run();
