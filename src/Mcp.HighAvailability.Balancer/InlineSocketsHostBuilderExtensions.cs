using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Microsoft.Extensions.Hosting;

/// <summary>Spares a balancer the switches between threads that an application needs for its own code.</summary>
public static class InlineSocketsHostBuilderExtensions
{
    // The runtime reads it once, with the first socket, and has no other setting for it.
    private const string Setting = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    /// <summary>
    /// Serves what the network brings on the thread that received it, instead of queuing it for another. Call it before anything opens a socket, and only in a
    /// process that runs nothing but the balancer: code that blocks such a thread would keep other connections waiting. It holds for the whole process.
    /// The environment variable <c>DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS=0</c> turns it off.
    /// </summary>
    public static IHostApplicationBuilder UseInlineSockets(this IHostApplicationBuilder builder)
    {
        if (Environment.GetEnvironmentVariable(Setting) == "0")
            return builder;
        Environment.SetEnvironmentVariable(Setting, "1");
        builder.Services.Configure<SocketTransportOptions>(static transport => transport.UnsafePreferInlineScheduling = true);
        return builder;
    }
}
