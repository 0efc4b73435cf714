using System.Diagnostics.Metrics;
using Mcp.HighAvailability.Diagnostics;

namespace McpHa.Tests;

/// <summary>A counter of one replica, from now on.</summary>
internal sealed class Counted : IDisposable
{
    private readonly MeterListener _listener = new();
    private long _value;

    public Counted(InProcessReplica replica, string name)
    {
        var scope = replica.Get<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == HighAvailabilityDiagnostics.MeterName && instrument.Name == name && instrument.Meter.Scope == scope)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((_, value, _, _) => Interlocked.Add(ref _value, value));
        _listener.Start();
    }

    public long Value => Interlocked.Read(ref _value);

    public void Dispose() => _listener.Dispose();
}
