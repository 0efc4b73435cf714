using System.Diagnostics;
using System.Globalization;

namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>A program that Lab runs and that never outlives Lab (see <see cref="Guardian"/>).</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private readonly Process _guardian;

    private ChildProcess(ProcessSpec spec, Process guardian, int id)
    {
        Spec = spec;
        _guardian = guardian;
        Id = id;
        Started = Stopwatch.GetTimestamp();
        Exited = WaitAsync();
    }

    /// <summary>The started process.</summary>
    public ProcessSpec Spec { get; }

    /// <summary>Process id of the program itself.</summary>
    public int Id { get; }

    /// <summary>When it was started, in <see cref="Stopwatch"/> ticks.</summary>
    public long Started { get; }

    /// <summary>Completes with the exit code when the program has ended; 128 + n after signal n.</summary>
    public Task<int> Exited { get; }

    /// <summary>Starts a program. That it can be started does not mean that it stays: watch <see cref="Exited"/>.</summary>
    public static async Task<ChildProcess> StartAsync(ProcessSpec spec)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(spec.LogFile)!);
        var guardian = Process.Start(Guardian.StartInfo(spec))!;
        var line = await guardian.StandardOutput.ReadLineAsync();
        return int.TryParse(line, CultureInfo.InvariantCulture, out var id)
            ? new ChildProcess(spec, guardian, id)
            : throw new LabException($"{spec.Name} could not be started: /bin/sh gave no process id. See {spec.LogFile}.");
    }

    /// <summary>Sends a signal, if the program is still there.</summary>
    public void Send(Signal signal)
    {
        if (!Exited.IsCompleted)
            Signals.Send(Id, signal);
    }

    /// <summary>Asks the program to end, and kills it when it has not within <paramref name="grace"/>.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        Send(Signal.Terminate);
        try
        {
            await Exited.WaitAsync(grace);
        }
        catch (TimeoutException)
        {
            Send(Signal.Kill);
            await Exited;
        }
    }

    /// <summary>The last lines that it wrote.</summary>
    public IReadOnlyList<string> Tail(int lines) => LogTail.Read(Spec.LogFile, lines);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Send(Signal.Kill);
        await Exited;
        _guardian.Dispose();
    }

    private async Task<int> WaitAsync()
    {
        var line = await _guardian.StandardOutput.ReadLineAsync();
        await _guardian.WaitForExitAsync();
        if (int.TryParse(line, CultureInfo.InvariantCulture, out var code))
            return code;

        // The guardian has ended, so the child would outlive Lab.
        Signals.Send(Id, Signal.Kill);
        return 128 + (int)Signal.Kill;
    }
}
