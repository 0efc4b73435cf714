namespace Mcp.HighAvailability.Lab.Up;

/// <summary>Plain lines, for logs and other programs.</summary>
internal sealed class PlainView : IView
{
    public void Say(string line) => Console.Out.WriteLine(line);

    public Task RunAsync(ProcessCluster cluster, CancellationToken cancellationToken)
    {
        var stopped = new TaskCompletionSource();
        cancellationToken.Register(stopped.SetResult);
        return stopped.Task;
    }
}
