namespace Mcp.HighAvailability.Storage;

/// <summary>How long state behind handles is kept.</summary>
public sealed class StateHandleOptions
{
    /// <summary>A handle that was not used for this long is removed with its state. Default: 24 hours.</summary>
    public TimeSpan Expiry { get; set; } = TimeSpan.FromHours(24);

    /// <summary>How many of the last calls are remembered per handle, to recognise repetitions. Default: 64.</summary>
    public int RememberedCalls { get; set; } = 64;
}
