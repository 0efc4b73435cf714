using McpHa.Server;
#if (!noAuth)
using McpHa.Server.Authentication;
#endif
using ModelContextProtocol.Protocol;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddRedisClient("redis");
#if (!noAuth)
builder.AddBearerAuthentication();                     // off while the section Bearer is empty
#endif

builder.Services.AddMcpServer(options =>
    {
        options.ServerInfo = new Implementation { Name = "failover-sample", Version = "1.0.0", Title = "Failover sample" };
#if (!noSamples)
        options.ServerInstructions = "Call where_am_i, kill the replica that it names, and call it again.";
#endif
    })
    .WithHighAvailability(ha => ha.UseRedis())
    .WithFeatures();

var app = builder.Build();
#if (noAuth)
app.MapHighlyAvailableMcp("/mcp");
#else
app.MapHighlyAvailableMcp("/mcp").RequireBearer(app);
#endif
app.MapDefaultEndpoints();
app.Run();
