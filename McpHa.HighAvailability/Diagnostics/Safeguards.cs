using System.Reflection;

namespace McpHa.HighAvailability.Diagnostics;

/// <summary>
/// The safeguards of the promise that a chaos run can take away one by one, to see that its checker finds out. All are on.
/// </summary>
/// <remarks>Invariant: no configuration, request or environment variable of a server reaches this; only code of a friend assembly does.</remarks>
internal static class Safeguards
{
    /// <summary>An owner whose epoch is over stops: what the store refuses is not shown.</summary>
    public static bool Fence { get; private set; } = true;

    /// <summary>A request that is in flight or was lately answered is not run again when it is repeated.</summary>
    public static bool DuplicateRecognition { get; private set; } = true;

    /// <summary>Nothing reaches a client before the journal has it.</summary>
    public static bool JournalBeforeSend { get; private set; } = true;

    /// <summary>A relay goes on with a broken stream behind its last event.</summary>
    public static bool Splice { get; private set; } = true;

    /// <summary>What must never run twice is written down before it runs once, and is not run again by a later owner.</summary>
    public static bool RerunPolicy { get; private set; } = true;

    /// <summary>A later run of a call does not repeat the progress and the notifications of an earlier one.</summary>
    public static bool ProgressRecognition { get; private set; } = true;

    /// <summary>A later run of a call does not ask again what an earlier one has asked.</summary>
    public static bool QuestionRecognition { get; private set; } = true;

    /// <summary>A call's writes to the session state are committed together with its answer.</summary>
    public static bool StateCommit { get; private set; } = true;

    /// <summary>Their names, as <see cref="SwitchOff"/> takes them.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Properties.Select(property => property.Name)];

    private static IEnumerable<PropertyInfo> Properties =>
        typeof(Safeguards).GetProperties(BindingFlags.Static | BindingFlags.Public).Where(property => property.PropertyType == typeof(bool));

    /// <summary>Takes a safeguard away from this process, for good.</summary>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static void SwitchOff(string name)
    {
        var property = Properties.FirstOrDefault(property => property.Name == name)
            ?? throw new ArgumentException($"There is no safeguard '{name}'; there are {string.Join(", ", Names)}.", nameof(name));
        property.SetValue(null, false);
    }
}
