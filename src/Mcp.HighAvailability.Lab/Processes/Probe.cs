using System.Net.Sockets;
using System.Text;

namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>Asks a program once whether it is ready. No answer is an answer.</summary>
internal static class Probe
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(5);

    // No proxy, no pool: every request goes to the process that listens on the port now.
    private static readonly HttpClient Http = new(new SocketsHttpHandler { UseProxy = false, PooledConnectionLifetime = TimeSpan.Zero })
    {
        Timeout = AnswerTimeout,
    };

    /// <summary>Whether <c>/health</c> of a web program answers 200.</summary>
    public static async Task<bool> HealthAsync(Uri url, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await Http.GetAsync(new Uri(url, "/health"), cancellationToken);
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Whether a web program answers at all, whatever it says.</summary>
    public static async Task<bool> AnswersAsync(Uri url, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await Http.GetAsync(url, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return true;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Whether a Redis without password answers PING, which it refuses while it loads its data.</summary>
    public static async Task<bool> RedisAsync(int port, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(AnswerTimeout);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", port, limit.Token);
            var stream = client.GetStream();
            await stream.WriteAsync("PING\r\n"u8.ToArray(), limit.Token);
            var answer = new byte[7];
            await stream.ReadExactlyAsync(answer, limit.Token);
            return Encoding.ASCII.GetString(answer) == "+PONG\r\n";
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }
}
