using System.CommandLine;
using Mcp.HighAvailability.Lab.Bench;
using Mcp.HighAvailability.Lab.Bench.Server;
using Mcp.HighAvailability.Lab.Chaos;
using Mcp.HighAvailability.Lab.Kill;
using Mcp.HighAvailability.Lab.Processes;
using Mcp.HighAvailability.Lab.Up;

var root = new RootCommand("A local cluster to look at and to break.")
{
    UpCommand.Create(),
    KillCommand.Create(),
    ChaosCommand.Create(),
    BenchCommand.Create(),
    BenchServerCommand.Create(),
    YarpCommand.Create(),
};
var parsed = root.Parse(args);

// Of `chaos`, 1 says that the promise was broken: what kept it from being tried has a code of its own.
var failed = parsed.CommandResult.Command.Name == ChaosCommand.Name ? ChaosCommand.NotRun : 1;

try
{
    // Ctrl-C and SIGTERM cancel the command, which then ends its processes in order; that takes longer than the usual two seconds.
    var code = await parsed.InvokeAsync(new InvocationConfiguration
    {
        EnableDefaultExceptionHandler = false,
        ProcessTerminationTimeout = TimeSpan.FromSeconds(60),
    });
    return parsed.Errors.Count > 0 ? failed : code;
}
catch (LabException e)
{
    Console.Error.WriteLine($"error: {e.Message}");
    return failed;
}
