namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>A process to start.</summary>
/// <param name="Name">Short name for messages.</param>
/// <param name="FileName">Program: a path, or a name that is on PATH.</param>
/// <param name="Arguments">Its arguments. They can be read by every user of the machine: no secrets.</param>
/// <param name="Environment">Variables to set on top of Lab's own; <see langword="null"/> removes one.</param>
/// <param name="WorkingDirectory">Where it runs.</param>
/// <param name="LogFile">File to which its output and error output are appended.</param>
internal sealed record ProcessSpec(
    string Name,
    string FileName,
    IReadOnlyList<string> Arguments,
    IReadOnlyDictionary<string, string?> Environment,
    string WorkingDirectory,
    string LogFile);
