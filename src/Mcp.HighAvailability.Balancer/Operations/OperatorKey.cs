using System.Security.Cryptography;
using System.Text;
using Mcp.HighAvailability.Balancer.Routing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Mcp.HighAvailability.Balancer.Operations;

/// <summary>Knows the operators' key, and keeps only its hash. How long a comparison takes says nothing of the key.</summary>
internal sealed class OperatorKey(IOptions<BalancerOptions> options)
{
    public const int MinLength = 16;

    private const string Scheme = "Bearer ";

    private readonly byte[]? _hash = options.Value.Operations.Key is { Length: > 0 } key ? Hash(key) : null;

    public bool IsSet => _hash is not null;

    public bool Allows(StringValues authorization) =>
        _hash is not null && authorization.ToString() is { } sent && sent.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) &&
        CryptographicOperations.FixedTimeEquals(_hash, Hash(sent[Scheme.Length..].Trim()));

    /// <summary>Returns the error of a key; <see langword="null"/>: it is valid.</summary>
    public static string? Fault(string? key)
    {
        if (string.IsNullOrEmpty(key))
            return null;
        if (key.Length < MinLength)
            return $"Balancer:Operations:Key has {key.Length} characters; set it to {MinLength} random ones or more (openssl rand -hex 16), or leave it " +
                "out to turn operations off.";

        // What can be sent as a bearer token (RFC 6750).
        return key.All(c => char.IsAsciiLetterOrDigit(c) || "-._~+/=".Contains(c, StringComparison.Ordinal))
            ? null
            : "Balancer:Operations:Key has characters that a header cannot carry; use letters, digits and -._~+/= only (openssl rand -hex 16).";
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
