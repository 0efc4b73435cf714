namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>Managed memory of an idle session, in bytes.</summary>
/// <param name="Sessions">Number of sessions that were open.</param>
/// <param name="IdleBytes">Of a session without a stream.</param>
/// <param name="StreamingBytes">Of a session with an open GET stream, its connection included.</param>
internal sealed record MemoryReport(int Sessions, double IdleBytes, double StreamingBytes);
