using Mcp.HighAvailability.Tasks;
using McpHa.Conformance.Tools;
using ModelContextProtocol.Protocol;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddRedisClient("redis");

// The scenario that asks before it creates a task must have asked by then, on a slow machine too.
builder.Services.Configure<TaskOptions>(tasks => tasks.Delay = TimeSpan.FromSeconds(1));

builder.Services.AddMcpServer(options => options.ServerInfo = new Implementation { Name = "conformance-server", Version = "1.0.0" })
    .WithHighAvailability(ha => ha.UseRedis())
    .WithToolsFromAssembly()
    .WithTools([SchemaTool.Create()])
    .WithPromptsFromAssembly()
    .WithResourcesFromAssembly()
    .WithCompleteHandler((_, _) => new(new CompleteResult { Completion = new() { Values = ["hello", "help"], Total = 2, HasMore = false } }))
    .WithSetLoggingLevelHandler((_, _) => new(new EmptyResult()));

var app = builder.Build();
app.MapHighlyAvailableMcp("/mcp");
app.MapDefaultEndpoints();
app.Run();
