namespace Mcp.HighAvailability.Tasks;

/// <summary>Constants that all implementations of <see cref="ITaskStore"/> share.</summary>
internal static class TaskStoreLimits
{
    /// <summary>Tasks that one step of a sweep looks at.</summary>
    public const int SweepBatch = 200;

    /// <summary>How long a creation is remembered by its exchange: longer than a relay sends a request again.</summary>
    public static readonly TimeSpan ExchangeMemory = TimeSpan.FromMinutes(2);

    /// <summary>How long one replica has for what it found in a sweep before others find it too.</summary>
    public static readonly TimeSpan SweepLease = TimeSpan.FromMinutes(1);

    /// <summary>How long a task stays with an owner that is about to get it: longer than any command is on its way.</summary>
    public static readonly TimeSpan EntryGrace = TimeSpan.FromMinutes(1);
}
