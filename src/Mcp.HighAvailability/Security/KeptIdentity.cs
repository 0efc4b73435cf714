using System.Security.Claims;
using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Security;

/// <summary>Keeps the claims of a user for another replica, when the user is not there. Protected, so that the store can neither read nor forge them.</summary>
internal sealed partial class KeptIdentity(IDataProtectionProvider protection, ILogger<KeptIdentity> logger)
{
    // Claims of tasks were written with it first.
    private const string Purpose = "Mcp.HighAvailability.TaskIdentity";

    private readonly IDataProtector _protector = protection.CreateProtector(Purpose);

    /// <summary>What is kept; empty for an anonymous user.</summary>
    /// <param name="user">The user.</param>
    /// <param name="id">The session or task. What is kept for one is of no use for another.</param>
    public byte[] Protect(ClaimsPrincipal? user, string id)
    {
        if (user?.Identity?.IsAuthenticated != true)
            return [];
        using var bytes = new MemoryStream();
        using (var writer = new BinaryWriter(bytes))
            new ClaimsPrincipal(user.Identities.Select(WithoutToken)).WriteTo(writer);
        return _protector.CreateProtector(id).Protect(bytes.ToArray());
    }

    /// <summary>The user; issuer and subject alone when the claims cannot be read. <see langword="null"/>: anonymous.</summary>
    public ClaimsPrincipal? Unprotect(ReadOnlyMemory<byte> kept, string id, string user)
    {
        if (kept.IsEmpty)
            return UserKey.ToPrincipal(user);
        try
        {
            using var reader = new BinaryReader(new MemoryStream(_protector.CreateProtector(id).Unprotect(kept.ToArray())));
            return new ClaimsPrincipal(reader);
        }
        catch (CryptographicException e)
        {
            LogUnreadable(e, id);
            return UserKey.ToPrincipal(user);
        }
    }

    private static ClaimsIdentity WithoutToken(ClaimsIdentity identity)
    {
        var copy = identity.Clone();
        copy.BootstrapContext = null;
        return copy;
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Claims of the user of {Id} cannot be decrypted. It runs with issuer and subject alone. Give all replicas the same data protection keys, " +
            "and keep old keys.")]
    private partial void LogUnreadable(Exception exception, string id);
}
