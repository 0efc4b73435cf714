namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>Something that the user can put right. The message is all that is shown.</summary>
internal sealed class LabException(string message) : Exception(message);
