using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace McpHa.HighAvailability.Stateless;

/// <summary>Makes <c>requestState</c> of the server's handlers readable to every replica and to nobody else, and refuses what is not its own.</summary>
/// <remarks>
/// AES-256-GCM under the cluster's key. Bound to the request that it belongs to (method and name) and to the user; expires. Clients hold it and send
/// it back: they can neither read it, nor change it, nor use it elsewhere. They can send it twice; what must happen once needs a state handle.
/// </remarks>
internal sealed class RequestStates(KeyRing keys, TimeProvider time, IOptions<HighAvailabilityOptions> options)
{
    private const byte Form = 1;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const int TimeBytes = 8;

    /// <exception cref="Sessions.StoreUnavailableException">There is no key yet, and the store is away.</exception>
    public async ValueTask<string> ProtectAsync(string state, string binding, CancellationToken cancellationToken)
    {
        var (id, key) = await keys.CurrentAsync(cancellationToken).ConfigureAwait(false);
        var plain = new byte[TimeBytes + Encoding.UTF8.GetByteCount(state)];
        BinaryPrimitives.WriteInt64BigEndian(plain, (time.GetUtcNow() + options.Value.RequestStateLifetime).ToUnixTimeMilliseconds());
        Encoding.UTF8.GetBytes(state, plain.AsSpan(TimeBytes));

        // form, length of the key's id, the id, nonce, tag, the rest
        var head = 2 + id.Length;
        var sealedState = new byte[head + NonceBytes + TagBytes + plain.Length];
        sealedState[0] = Form;
        sealedState[1] = (byte)id.Length;
        Encoding.ASCII.GetBytes(id, sealedState.AsSpan(2));
        var nonce = sealedState.AsSpan(head, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var cipher = new AesGcm(key.Span, TagBytes);
        cipher.Encrypt(nonce, plain, sealedState.AsSpan(head + NonceBytes + TagBytes), sealedState.AsSpan(head + NonceBytes, TagBytes), Encoding.UTF8.GetBytes(binding));
        return Base64Url.EncodeToString(sealedState);
    }

    /// <summary>What the handler had given; <see langword="null"/> when the text was not made here for this request and user, or has expired.</summary>
    /// <exception cref="Sessions.StoreUnavailableException">Its key is not known here, and the store is away.</exception>
    public async ValueTask<string?> OpenAsync(string text, string binding, CancellationToken cancellationToken)
    {
        if (!TryDecode(text, out var sealedState) || sealedState.Length < 2 || sealedState[0] != Form)
            return null;
        var head = 2 + sealedState[1];
        if (sealedState.Length < head + NonceBytes + TagBytes + TimeBytes)
            return null;
        if (await keys.FindAsync(Encoding.ASCII.GetString(sealedState, 2, head - 2), cancellationToken).ConfigureAwait(false) is not { } key)
            return null;

        var plain = new byte[sealedState.Length - head - NonceBytes - TagBytes];
        try
        {
            using var cipher = new AesGcm(key.Span, TagBytes);
            cipher.Decrypt(
                sealedState.AsSpan(head, NonceBytes), sealedState.AsSpan(head + NonceBytes + TagBytes), sealedState.AsSpan(head + NonceBytes, TagBytes), plain, Encoding.UTF8.GetBytes(binding));
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }

        var expires = BinaryPrimitives.ReadInt64BigEndian(plain);
        return expires < time.GetUtcNow().ToUnixTimeMilliseconds() ? null : Encoding.UTF8.GetString(plain.AsSpan(TimeBytes));
    }

    private static bool TryDecode(string text, out byte[] bytes)
    {
        try
        {
            bytes = Base64Url.DecodeFromChars(text);
            // One text per state: none that only decodes to the same.
            return Base64Url.EncodeToString(bytes) == text;
        }
        catch (FormatException)
        {
            bytes = [];
            return false;
        }
    }
}
