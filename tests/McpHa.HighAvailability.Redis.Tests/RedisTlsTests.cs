using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mcp.HighAvailability.Redis;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>A redis-server that speaks TLS and asks for a password, with certificates of its own authority.</summary>
public sealed class TlsRedis : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("redis-tls-").FullName;
    private readonly RedisServer _server;

    public TlsRedis()
    {
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authority = new CertificateRequest("CN=test authority", authorityKey, HashAlgorithmName.SHA256);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var signed = authority.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        Authority = X509CertificateLoader.LoadCertificate(signed.RawData);

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var server = new CertificateRequest("CN=redis.test", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("redis.test");
        names.AddIpAddress(IPAddress.Loopback);
        server.CertificateExtensions.Add(names.Build());
        using var certificate = server.Create(signed, DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddHours(12), [1]);

        File.WriteAllText(PathOf("ca.crt"), signed.ExportCertificatePem());
        File.WriteAllText(PathOf("redis.crt"), certificate.ExportCertificatePem());
        File.WriteAllText(PathOf("redis.key"), key.ExportPkcs8PrivateKeyPem());
        Port = RedisServer.FreePort();
        _server = new(
        [
            "--tls-port", $"{Port}", "--tls-cert-file", PathOf("redis.crt"), "--tls-key-file", PathOf("redis.key"), "--tls-ca-cert-file", PathOf("ca.crt"), "--tls-auth-clients", "no",
            "--requirepass", "of the default user", "--user", "mcp", "on", ">secret", .. RestrictedRedis.Rules,
        ]);
    }

    public int Port { get; }

    /// <summary>Who has signed the server's certificate. This machine does not know it.</summary>
    public X509Certificate2 Authority { get; }

    public ValueTask InitializeAsync() => _server.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Authority.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private string PathOf(string name) => Path.Combine(_folder, name);
}

/// <summary>Redis over TLS, with a password and with a user of its own, all of it in the connection string.</summary>
public sealed class RedisTlsTests(TlsRedis redis) : IClassFixture<TlsRedis>
{
    private const string Password = "password=of the default user";
    private const string User = "user=mcp,password=secret,tieBreaker=,configChannel=";

    [Theory]
    [InlineData(Password)]
    [InlineData(User)]
    public async Task Sessions_heartbeats_and_events_go_over_TLS(string credentials)
    {
        RedisServer.SkipIfMissing();
        using var client = await ConnectAsync($"127.0.0.1:{redis.Port},ssl=true,sslHost=redis.test,abortConnect=false,{credentials}");
        var connection = RedisBackend.Connection(client);
        var store = new RedisSessionStore(connection, Options.Create(new SessionStoreOptions()), TimeProvider.System);

        var id = await CreatedAsync(store);
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, Commit(1, 1, Entry(1))));
        Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 1, "b"));

        var replica = Replica();
        Assert.Contains(replica, (await new RedisReplicaRegistry(connection, NullLogger<RedisReplicaRegistry>.Instance).BeatAsync(replica)).Select(entry => entry.Replica));

        var bus = new RedisEventBus(connection, NullLogger<RedisEventBus>.Instance);
        var heard = new TaskCompletionSource<byte[]>();
        await using var subscription = await bus.SubscribeAsync("news", payload =>
        {
            heard.TrySetResult(payload.ToArray());
            return default;
        });
        await bus.PublishAsync("news", new byte[] { 7 });
        Assert.Equal([7], await heard.Task.WaitAsync(Wait.Limit));
    }

    [Theory]
    [InlineData("ssl=false,password=of the default user", "redis.test")] // the port speaks nothing but TLS
    [InlineData("ssl=true,password=of the default user", "another.test")] // a certificate for another name
    [InlineData("ssl=true,password=wrong", "redis.test")]
    [InlineData("ssl=true", "redis.test")]
    public async Task Without_TLS_the_right_name_or_the_right_password_Redis_is_away(string how, string name)
    {
        RedisServer.SkipIfMissing();
        using var client = await ConnectAsync($"127.0.0.1:{redis.Port},{how},sslHost={name},abortConnect=false,connectTimeout=2000,connectRetry=0");
        var store = new RedisSessionStore(
            RedisBackend.Connection(client, new() { CommandTimeout = TimeSpan.FromSeconds(5) }), Options.Create(new SessionStoreOptions()), TimeProvider.System);

        var fault = await Assert.ThrowsAsync<StoreUnavailableException>(async () => await store.FindAsync(NewId()));

        Assert.DoesNotContain("password", fault.Message, StringComparison.OrdinalIgnoreCase);
    }

    private async Task<ConnectionMultiplexer> ConnectAsync(string connectionString)
    {
        var options = ConfigurationOptions.Parse(connectionString);

        // As an operating system would judge that knows the authority.
        options.CertificateValidation += (_, certificate, _, errors) =>
        {
            using var chain = new X509Chain();
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.Add(redis.Authority);
            using var presented = X509CertificateLoader.LoadCertificate(certificate!.GetRawCertData());
            return (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) == SslPolicyErrors.None && chain.Build(presented);
        };
        return await ConnectionMultiplexer.ConnectAsync(options);
    }
}
