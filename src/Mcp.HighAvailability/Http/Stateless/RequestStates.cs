using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.KeyManagement.Internal;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Http;

/// <summary>Protects the <c>requestState</c> of the server's handlers with ASP.NET Core Data Protection: every replica reads it, and no client does.</summary>
/// <remarks>
/// Bound to the request that it belongs to (method and name) and to the user; expires. A client can send it twice; what must happen once needs a state handle.
/// </remarks>
internal sealed class RequestStates(
    IDataProtectionProvider protection, IKeyManager manager, IKeyRingProvider rings, ClusterKeyRepository repository, TimeProvider time,
        IOptions<HighAvailabilityOptions> options)
{
    private const string Purpose = "Mcp.HighAvailability.RequestState";

    // A protected payload begins with four bytes that mark it, and the id of its key.
    private const int MarkBytes = 4;
    private const int KeyIdBytes = 16;

    // A store that has lost its keys gets them back while they are in use.
    private static readonly TimeSpan ReadAgain = TimeSpan.FromSeconds(10);

    // Not for every forgery.
    private static readonly TimeSpan ReadAgainForUnknown = TimeSpan.FromSeconds(1);

    private readonly IDataProtector _protector = protection.CreateProtector(Purpose);

    /// <exception cref="StoreUnavailableException">No key is known yet, and the store is away.</exception>
    /// <exception cref="InvalidDataException">No key is known yet, and those of the store are damaged.</exception>
    public string Protect(string state, string binding)
    {
        (manager as ClusterKeys)?.Expire(ReadAgain);
        var expires = time.GetUtcNow() + options.Value.RequestStateLifetime;
        return Base64Url.EncodeToString(Try(() => For(binding).Protect(Encoding.UTF8.GetBytes(state), expires)));
    }

    /// <summary>Returns the handler's state; <see langword="null"/>: the text was not made here for this request and user, or has expired.</summary>
    /// <exception cref="StoreUnavailableException">Its key is not known here, and the store is away.</exception>
    /// <exception cref="InvalidDataException">Its key is not known here, and the keys of the store are damaged.</exception>
    public async ValueTask<string?> OpenAsync(string text, string binding, CancellationToken cancellationToken)
    {
        if (!TryDecode(text, out var payload) || payload.Length < MarkBytes + KeyIdBytes)
            return null;
        if (!IsKnown(payload) && manager is ClusterKeys keys)
        {
            await keys.RefreshAsync(rings, ReadAgainForUnknown, cancellationToken);
            if (!IsKnown(payload) && repository.Fault is StoreUnavailableException or InvalidDataException)
                throw repository.Fault;
        }

        try
        {
            return Encoding.UTF8.GetString(For(binding).Unprotect(payload));
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private ITimeLimitedDataProtector For(string binding) => _protector.CreateProtector(binding).ToTimeLimitedDataProtector();

    private bool IsKnown(byte[] payload)
    {
        var id = new Guid(payload.AsSpan(MarkBytes, KeyIdBytes));
        return Try(() => rings.GetCurrentKeyRing().GetAuthenticatedEncryptorByKeyId(id, out _)) is not null;
    }

    // Data protection wraps what its repository throws.
    private static T Try<T>(Func<T> use)
    {
        try
        {
            return use();
        }
        catch (CryptographicException e) when (e.InnerException is StoreUnavailableException or InvalidDataException)
        {
            throw e.InnerException;
        }
    }

    private static bool TryDecode(string text, out byte[] bytes)
    {
        try
        {
            bytes = Base64Url.DecodeFromChars(text);

            // Several texts may decode to the same bytes; one of them is ours.
            return Base64Url.EncodeToString(bytes) == text;
        }
        catch (FormatException)
        {
            bytes = [];
            return false;
        }
    }
}
