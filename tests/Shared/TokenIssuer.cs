using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace McpHa.Tests;

/// <summary>Issues real tokens (RS256), and tells servers by OpenID Connect discovery how to check them.</summary>
internal sealed class TokenIssuer : IDisposable
{
    private readonly RSA _key = RSA.Create(2048);
    private readonly HttpListener _listener = new();

    public TokenIssuer()
    {
        using (var probe = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            Address = $"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}";
        }

        _listener.Prefixes.Add(Address + "/");
        _listener.Start();
        _ = ServeAsync();
    }

    public string Address { get; }

    /// <summary>A token. Each is another one, as after a refresh.</summary>
    public string Issue(string? subject, string audience, TimeSpan? lifetime = null, string? issuer = null, string[]? roles = null)
    {
        var now = DateTimeOffset.UtcNow;
        Dictionary<string, object> claims = new()
        {
            ["iss"] = issuer ?? Address,
            ["aud"] = audience,
            ["jti"] = Guid.NewGuid().ToString(),
            ["nbf"] = now.AddHours(-1).ToUnixTimeSeconds(),
            ["exp"] = (now + (lifetime ?? TimeSpan.FromHours(1))).ToUnixTimeSeconds(),
            ["roles"] = roles ?? [],
        };
        if (subject is not null)
            claims["sub"] = subject;
        var content = $"{Encode(new { alg = "RS256", typ = "JWT", kid = "k" })}.{Encode(claims)}";
        return $"{content}.{Base64Url(_key.SignData(Encoding.ASCII.GetBytes(content), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))}";
    }

    public void Dispose()
    {
        _listener.Close();
        _key.Dispose();
    }

    private async Task ServeAsync()
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            var key = _key.ExportParameters(false);
            object answer = context.Request.Url!.AbsolutePath == "/keys"
                ? new { keys = new[] { new { kty = "RSA", use = "sig", alg = "RS256", kid = "k", n = Base64Url(key.Modulus!), e = Base64Url(key.Exponent!) } } }
                : new { issuer = Address, jwks_uri = Address + "/keys", id_token_signing_alg_values_supported = new[] { "RS256" } };
            context.Response.ContentType = "application/json";
            context.Response.Close(JsonSerializer.SerializeToUtf8Bytes(answer), willBlock: true);
        }
    }

    private static string Encode(object part) => Base64Url(JsonSerializer.SerializeToUtf8Bytes(part));

    private static string Base64Url(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');
}
