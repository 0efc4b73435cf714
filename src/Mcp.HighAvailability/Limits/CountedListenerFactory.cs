using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Mcp.HighAvailability.Limits;

/// <summary>Kestrel's sockets, with every connection counted. None is accepted while too few descriptors are left; clients then wait to be connected.</summary>
internal sealed class CountedListenerFactory(SocketTransportFactory sockets, Descriptors descriptors)
    : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        new Listener(await sockets.BindAsync(endpoint, cancellationToken).ConfigureAwait(false), descriptors);

    public bool CanBind(EndPoint endpoint) => sockets.CanBind(endpoint);

    private sealed class Listener(IConnectionListener inner, Descriptors descriptors) : IConnectionListener
    {
        private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

        private readonly CancellationTokenSource _unbound = new();

        public EndPoint EndPoint => inner.EndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            // Counted before it is accepted: there is no later moment at which it could be refused.
            while (!descriptors.TryOpen())
            {
                descriptors.Refused();
                await Task.Delay(Pause, _unbound.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (_unbound.IsCancellationRequested)
                    return null;
            }

            ConnectionContext? connection = null;
            try
            {
                connection = await inner.AcceptAsync(cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                if (connection is null)
                    descriptors.Closed();
            }

            return connection is null ? null : new CountedConnection(connection, descriptors);
        }

        public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            await _unbound.CancelAsync().ConfigureAwait(false);
            await inner.UnbindAsync(cancellationToken).ConfigureAwait(false);
        }

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
