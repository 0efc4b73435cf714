using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.FSharp.Core;

namespace McpHa.Tests;

/// <summary>Checks properties on the same cases in every run. <c>PROPERTY_SEED</c> chooses other cases.</summary>
internal static class SeededProperty
{
    private const ulong Gamma = 0x9E37_79B9_7F4A_7C15; // odd, as FsCheck asks for

    private static readonly ulong Seed =
        ulong.TryParse(Environment.GetEnvironmentVariable("PROPERTY_SEED"), CultureInfo.InvariantCulture, out var seed) ? seed : 20_261_129;

    /// <summary>Checks a property and fails with the first case that does not have it, and with the seed.</summary>
    /// <param name="property">The property.</param>
    /// <param name="cases">Number of cases.</param>
    /// <param name="slice">Which cases: those of two slices differ.</param>
    public static void CheckSeeded(this Property property, int cases = 100, int slice = 0)
    {
        var replay = new Replay(new Rnd(Seed + (ulong)slice, Gamma), FSharpOption<int>.None);
        property.Check(Config.QuickThrowOnFailure.WithReplay(FSharpOption<Replay>.Some(replay)).WithMaxTest(cases).WithQuietOnSuccess(true));
    }
}
