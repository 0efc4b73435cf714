using Mcp.HighAvailability.Cluster;
using Microsoft.Extensions.Configuration;

namespace McpHa.Tests;

public class InstanceNameTests
{
    [Theory]
    [InlineData("service.instance.id=server-1", "server-1")]
    [InlineData("a=b, service.instance.id = x%20y ,c=d", "x y")]
    [InlineData("service.instance.id=", null)]
    [InlineData("other.service.instance.id=no", null)]
    [InlineData(null, null)]
    public void An_instance_is_called_as_its_telemetry_is(string? attributes, string? expected)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("OTEL_RESOURCE_ATTRIBUTES", attributes)]).Build();
        Assert.Equal(expected ?? $"{Environment.MachineName}-{Environment.ProcessId}", InstanceName.Of(configuration));
    }
}
