using McpHa.Server;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddRedisClient("redis");
builder.AddBearerAuthentication();

builder.Services
    .AddMcpServer(options => options.ServerInfo = new() { Name = "failover-sample", Title = "Failover sample", Version = "1.0.0" })
    .WithHighAvailability(ha => ha.UseRedis())
    .WithFeatures();

var app = builder.Build();
app.MapDefaultEndpoints();
app.MapHighlyAvailableMcp("/mcp").RequireBearer(app);
app.Run();
