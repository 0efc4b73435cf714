using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>Free TCP ports on the loopback address.</summary>
internal static class Ports
{
    // Below the range from which Linux takes the ports of outgoing connections: a port that is free now is not taken by a client
    // connection before the child has bound it.
    private const int First = 20_000;
    private const int Last = 32_000;

    private static readonly HashSet<int> Given = [];

    /// <summary>A port on which nothing listens and that was not given out before.</summary>
    public static int Free()
    {
        for (var attempt = 0; attempt < 1_000; attempt++)
        {
            var port = Random.Shared.Next(First, Last);
            lock (Given)
            {
                if (!Given.Contains(port) && IsFree(port))
                {
                    Given.Add(port);
                    return port;
                }
            }
        }

        throw new LabException($"No free port between {First} and {Last} on 127.0.0.1.");
    }

    /// <summary>Whether a server could listen on the port now.</summary>
    public static bool IsFree(int port)
    {
        // Binding alone would not do: with address reuse it succeeds beside some listeners.
        if (IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Any(listener => listener.Port == port))
            return false;

        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
