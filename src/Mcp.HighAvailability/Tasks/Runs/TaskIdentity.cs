using System.Security.Claims;
using System.Security.Cryptography;
using Mcp.HighAvailability.Security;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Tasks;

/// <summary>
/// Keeps the claims of a task's user, for a run on another replica when the user is not there. Protected, so that the store can neither read nor
/// forge them.
/// </summary>
internal sealed partial class TaskIdentity(IDataProtectionProvider protection, ILogger<TaskIdentity> logger)
{
    private const string Purpose = "Mcp.HighAvailability.TaskIdentity";

    private readonly IDataProtector _protector = protection.CreateProtector(Purpose);

    /// <summary>What is kept; empty for an anonymous user.</summary>
    public byte[] Protect(ClaimsPrincipal? user, string taskId)
    {
        if (user?.Identity?.IsAuthenticated != true)
            return [];
        using var bytes = new MemoryStream();
        using (var writer = new BinaryWriter(bytes))
            new ClaimsPrincipal(user.Identities.Select(WithoutToken)).WriteTo(writer);
        return _protector.CreateProtector(taskId).Protect(bytes.ToArray());
    }

    /// <summary>The user; issuer and subject alone when the claims cannot be read. <see langword="null"/>: anonymous.</summary>
    public ClaimsPrincipal? Unprotect(ReadOnlyMemory<byte> kept, string taskId, string user)
    {
        if (kept.IsEmpty)
            return UserKey.ToPrincipal(user);
        try
        {
            using var reader = new BinaryReader(new MemoryStream(_protector.CreateProtector(taskId).Unprotect(kept.ToArray())));
            return new ClaimsPrincipal(reader);
        }
        catch (CryptographicException e)
        {
            LogUnreadable(e, taskId);
            return UserKey.ToPrincipal(user);
        }
    }

    private static ClaimsIdentity WithoutToken(ClaimsIdentity identity)
    {
        var copy = identity.Clone();
        copy.BootstrapContext = null;
        return copy;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Task {TaskId}: the claims of its user cannot be read. It runs with issuer and subject alone.")]
    private partial void LogUnreadable(Exception exception, string taskId);
}
