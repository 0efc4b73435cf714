var builder = WebApplication.CreateBuilder(args);
builder.UseInlineSockets(); // nothing in this process blocks a thread
builder.AddServiceDefaults();
builder.AddPrometheusMetrics();
builder.AddRedisClient("redis");
builder.Services.AddRedisReplicaRegistry().AddMcpBalancer();

var app = builder.Build();
app.MapDefaultEndpoints();
app.MapMcpBalancer(app.PrometheusText());
app.Run();
