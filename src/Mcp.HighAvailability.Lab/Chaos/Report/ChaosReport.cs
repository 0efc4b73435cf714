using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.Faults;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Report;

/// <summary>The results of a run.</summary>
internal sealed record ChaosReport
{
    /// <summary>Whether all that is promised held.</summary>
    public required bool Holds { get; init; }

    /// <summary>Whether it was ended early.</summary>
    public required bool Interrupted { get; init; }

    public required DateTimeOffset Started { get; init; }

    public required double ElapsedSeconds { get; init; }

    public required ReportSettings Settings { get; init; }

    /// <summary>Faults from which the cluster did not recover.</summary>
    public required IReadOnlyList<string> Troubles { get; init; }

    public required IReadOnlyList<ReportViolation> Violations { get; init; }

    public required Counts Counts { get; init; }

    /// <summary>The kinds of fault that were injected.</summary>
    public required IReadOnlyList<ReportKind> Kinds { get; init; }

    /// <summary>The kinds of fault that were asked for and never injected: the run says nothing about them.</summary>
    public required IReadOnlyList<string> NotTried { get; init; }

    public required IReadOnlyList<ReportFault> Faults { get; init; }

    public required IReadOnlyList<ReportPause> Pauses { get; init; }

    public static ChaosReport Of(
        ChaosOptions options, HistoryLog history, Verdict verdict, IReadOnlyList<FaultRecord> faults, IReadOnlyList<string> troubles, bool interrupted)
    {
        // A server that is there already is only watched: nothing was to be tried.
        IEnumerable<FaultKind> kinds = options.Server is null ? options.Kinds.Order() : [];
        var tried = kinds.SelectMany(kind => RowsOf(kind, verdict, faults)).ToLookup(row => row.Injected > 0);
        return new()
        {
            Holds = verdict.Holds && troubles.Count == 0,
            Interrupted = interrupted,
            Started = history.StartedAt,
            ElapsedSeconds = history.Now.TotalSeconds,
            Settings = ReportSettings.Of(options),
            Troubles = [.. troubles],
            Violations = [.. verdict.Violations.Select(ReportViolation.Of)],
            Counts = verdict.Counts,
            Kinds = [.. tried[true]],
            NotTried = [.. tried[false].Select(row => row.Name)],
            Faults = [.. faults.Select(fault => new ReportFault(
                fault.Number, FaultForms.Name(fault.Kind), fault.Text, fault.Targets, fault.Began.TotalSeconds, fault.Ended?.TotalSeconds))],
            Pauses = [.. verdict.Pauses.Select(pause => new ReportPause(
                pause.Fault, FaultForms.Name(pause.Kind), pause.Session, pause.At.TotalSeconds, pause.Length.TotalMilliseconds, pause.WasRunning))],
        };
    }

    private static IEnumerable<ReportKind> RowsOf(FaultKind kind, Verdict verdict, IReadOnlyList<FaultRecord> faults) =>
        from form in FaultForms.Of(kind).Select(FaultForms.Apart).Distinct()
        let injected = faults.Where(fault => fault.Kind == kind && FaultForms.Apart(fault.Form) == form).Select(fault => fault.Number).ToHashSet()
        let pauses = verdict.Pauses.Where(pause => injected.Contains(pause.Fault)).ToList()
        select new ReportKind(
            FaultForms.Name(kind), form, injected.Count,
            PauseFigures.Of(pauses.Select(pause => pause.Length)),
            PauseFigures.Of(pauses.Where(pause => pause.WasRunning).Select(pause => pause.Length)),
            PauseFigures.Of(verdict.Elsewhere.Where(pause => injected.Contains(pause.Fault)).Select(pause => pause.Length)));

    public void WriteTo(string file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);

        // Text stays readable: this is a file, not a part of a page.
        var readable = new ChaosJson(new JsonSerializerOptions(
            ChaosJson.Default.ChaosReport.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        File.WriteAllText(file, JsonSerializer.Serialize(this, readable.ChaosReport));
    }
}

/// <summary>Settings of the run.</summary>
internal sealed record ReportSettings(
    int Seed, int Replicas, int Balancers, int Sessions, int TypeScript, int Rate, IReadOnlyList<string> FaultsOf, bool Direct, string? Server,
        string? Project, string? Mutation, string Folder)
{
    public static ReportSettings Of(ChaosOptions options) => new(
        options.Seed, options.Replicas, options.Direct ? 0 : options.Balancers, options.Sessions, options.TypeScript, options.Rate,
        [.. options.Kinds.Select(FaultForms.Name)], options.Direct, options.Server?.ToString(), options.Project, options.Mutation, options.Folder);
}

/// <summary>A finding, and what happened around it.</summary>
internal sealed record ReportViolation(ViolationKind Kind, double AtSeconds, string? Session, long? Call, string Text, IReadOnlyList<string> Around)
{
    public static ReportViolation Of(Violation violation) => new(
        violation.Kind, violation.At.TotalSeconds, violation.Session, violation.Call, violation.Text, [.. violation.Around.Select(EventText.Of)]);
}

/// <summary>A kind of fault.</summary>
/// <param name="Form">A form of it that is counted apart; <see langword="null"/>: all others.</param>
/// <param name="Injected">How often.</param>
/// <param name="Pauses">What the clients of all affected sessions saw of it, in milliseconds.</param>
/// <param name="PausesWhileRunning">The same, of those that had a call running at that moment.</param>
/// <param name="Elsewhere">What clients of sessions saw that were not hit.</param>
internal sealed record ReportKind(string Kind, string? Form, int Injected, PauseFigures Pauses, PauseFigures PausesWhileRunning, PauseFigures Elsewhere)
{
    /// <summary>Kind and form.</summary>
    [JsonIgnore]
    public string Name => Form is null ? Kind : $"{Kind}, {Form}";
}

internal sealed record ReportFault(int Number, string Kind, string Text, IReadOnlyList<string> Targets, double BeganSeconds, double? EndedSeconds);

internal sealed record ReportPause(int Fault, string Kind, string Session, double AtSeconds, double Milliseconds, bool WasRunning);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, WriteIndented = true, UseStringEnumConverter = true)]
[JsonSerializable(typeof(ChaosReport))]
internal sealed partial class ChaosJson : JsonSerializerContext;
