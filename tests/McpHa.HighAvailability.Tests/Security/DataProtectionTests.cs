using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace McpHa.Tests;

/// <summary>The data protection of an application: its replicas share the keys, unless it has said where they are.</summary>
public sealed class DataProtectionTests : KeyRepositoryContract
{
    private readonly InMemoryXmlRepository _store = new();

    [Fact]
    public async Task Replicas_in_different_folders_read_what_the_others_protect()
    {
        await using var one = Replica();
        await using var other = Replica();
        var cookie = Protector(one).Protect("ann");

        Assert.Equal("ann", Protector(other).Unprotect(cookie));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_application_that_sets_its_own_persistence_keeps_it(bool before)
    {
        var own = new InMemoryXmlRepository();
        await using var app = Replica(services => services.Configure<KeyManagementOptions>(o => o.XmlRepository = own), before);
        await using var other = Replica();

        var cookie = Protector(app).Protect("ann");

        Assert.Single(own.GetAllElements());
        Assert.Empty(_store.GetAllElements());
        Assert.ThrowsAny<Exception>(() => Protector(other).Unprotect(cookie));
        Assert.Contains("folder", app.Services.GetRequiredService<IOptions<DataProtectionOptions>>().Value.ApplicationDiscriminator!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_application_keeps_the_name_that_it_has_set()
    {
        await using var app = Replica(services => services.AddDataProtection().SetApplicationName("mine"));

        Assert.Equal("mine", app.Services.GetRequiredService<IOptions<DataProtectionOptions>>().Value.ApplicationDiscriminator);
    }

    protected override Task<IXmlRepository> RepositoryAsync() => Task.FromResult<IXmlRepository>(new InMemoryXmlRepository());

    private static IDataProtector Protector(WebApplication app) => app.Services.GetRequiredService<IDataProtectionProvider>().CreateProtector("cookies");

    private WebApplication Replica(Action<IServiceCollection>? configure = null, bool before = true)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = Directory.CreateTempSubdirectory("folder-").FullName });
        builder.Services.AddSingleton<IXmlRepository>(_store);
        if (before)
            configure?.Invoke(builder.Services);
        builder.Services.AddMcpServer().WithHighAvailability();
        if (!before)
            configure?.Invoke(builder.Services);
        return builder.Build();
    }
}
