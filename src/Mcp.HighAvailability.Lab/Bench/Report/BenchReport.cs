using System.Text.Json;
using System.Text.Json.Serialization;
using Mcp.HighAvailability.Lab.Bench.Server;

namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>Figures of a whole run.</summary>
internal sealed record BenchReport
{
    public required DateTimeOffset Started { get; init; }

    public double ElapsedSeconds { get; init; }

    public required Machine Machine { get; init; }

    public required int Rounds { get; init; }

    public required double SecondsPerTurn { get; init; }

    /// <summary>The subjects under load.</summary>
    public IReadOnlyList<SubjectReport> Load { get; init; } = [];

    /// <summary>By what serves: the library, and the SDK alone.</summary>
    public IReadOnlyDictionary<ServerKind, MemoryReport> Memory { get; init; } = new Dictionary<ServerKind, MemoryReport>();

    /// <summary>Losses of a replica with a call in flight.</summary>
    public IReadOnlyList<FailureReport> Failures { get; init; } = [];

    public StreamReport? Streams { get; init; }

    public TaskReport? Tasks { get; init; }

    public IReadOnlyList<Ratio> Ratios => Ratio.Of(Load);

    public IReadOnlyList<Target> Targets => Target.Of(this);

    public string ToJson() => JsonSerializer.Serialize(this, BenchJson.Default.BenchReport);

    public void WriteTo(string file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, ToJson());
    }
}

[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web, WriteIndented = true, UseStringEnumConverter = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(BenchReport))]
internal sealed partial class BenchJson : JsonSerializerContext;
