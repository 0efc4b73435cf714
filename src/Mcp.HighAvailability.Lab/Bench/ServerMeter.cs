using System.Net.Http.Json;
using Mcp.HighAvailability.Lab.Bench.Server;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>Asks a server of Lab's own for its memory.</summary>
internal static class ServerMeter
{
    private static readonly HttpClient Http = new(new SocketsHttpHandler { UseProxy = false });

    public static async Task<ServerMemory> ReadAsync(Running server, bool collect, CancellationToken cancellationToken) =>
        (await Http.GetFromJsonAsync<ServerMemory>(new Uri(server.Url, $"/memory?collect={collect}"), cancellationToken))!;
}
