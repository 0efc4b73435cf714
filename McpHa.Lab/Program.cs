using System.CommandLine;
using McpHa.Lab.Bench;
using McpHa.Lab.Bench.Server;
using McpHa.Lab.Processes;
using McpHa.Lab.Up;

var root = new RootCommand("A local cluster to look at, to break and to measure.") { UpCommand.Create(), BenchCommand.Create(), BenchServerCommand.Create() };

try
{
    // Ctrl-C and SIGTERM cancel the command, which then ends its processes in order; that takes longer than the usual two seconds.
    return await root.Parse(args).InvokeAsync(new InvocationConfiguration
    {
        EnableDefaultExceptionHandler = false,
        ProcessTerminationTimeout = TimeSpan.FromSeconds(30),
    });
}
catch (LabException e)
{
    Console.Error.WriteLine($"error: {e.Message}");
    return 1;
}
