using System.Diagnostics.Metrics;

namespace McpHa.HighAvailability.Diagnostics;

/// <summary>Meters of a rehearsal: nobody listens to them, so nothing of it is counted.</summary>
internal sealed class UnheardMeters : IMeterFactory
{
    private readonly List<Meter> _meters = [];

    public Meter Create(MeterOptions options)
    {
        var meter = new Meter("rehearsal");
        _meters.Add(meter);
        return meter;
    }

    public void Dispose()
    {
        foreach (var meter in _meters)
            meter.Dispose();
    }
}
