using McpHa.Server;
#if (!noAuth)
using McpHa.Server.Authentication;
#endif
using ModelContextProtocol.Protocol;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddRedisClient("redis");
#if (!noAuth)
builder.AddBearerAuthentication();                     // the section Bearer of the settings
#endif

builder.Services.AddMcpServer(options =>
    {
        options.ServerInfo = new Implementation { Name = "failover-sample", Version = "1.0.0", Title = "Failover sample" };
#if (!noSamples)
        options.ServerInstructions =
            "Notes and counters belong to this session and are kept as long as it lasts. "
            + "If a call fails with an error that says it may have run, ask the user before you repeat it.";
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
