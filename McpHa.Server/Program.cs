using McpHa.Server.Authentication;
using McpHa.Server.Resources;
using McpHa.Server.Tools;
using ModelContextProtocol.Protocol;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddRedisClient("redis");
builder.AddBearerAuthentication();                     // off while the section Bearer is empty

builder.Services.AddSingleton<AnnouncementBoard>();
builder.Services.AddSingleton<DeliveryLog>();
builder.Services.AddMcpServer(options =>
    {
        options.ServerInfo = new Implementation { Name = "failover-sample", Version = "1.0.0", Title = "Failover sample" };
        options.ServerInstructions = "Call where_am_i, kill the replica that it names, and call it again.";
    })
    .WithHighAvailability(ha => ha.UseRedis())
    .WithRequestFilters(filters => filters.AddCallToolFilter(ArgumentErrors.Explain))
    .WithToolsFromAssembly()
    .WithPromptsFromAssembly()
    .WithResourcesFromAssembly();

var app = builder.Build();
app.MapHighlyAvailableMcp("/mcp").RequireBearer(app);
app.MapDefaultEndpoints();
app.Run();
