namespace Aspire.Hosting;

/// <summary>Where an application that runs on the developer's machine keeps its sessions.</summary>
public enum McpStoreKind
{
    /// <summary>The first of the others that the machine can run, in their order.</summary>
    Automatic,

    /// <summary>The server that the connection string with the name of the store points to.</summary>
    Existing,

    /// <summary>Redis in a container with a data volume. Needs Docker or Podman.</summary>
    Container,

    /// <summary>The <c>redis-server</c> that is installed. Its data stays in the <c>obj</c> folder of the AppHost.</summary>
    RedisServer,

    /// <summary>Garnet as a .NET tool. Needs the .NET SDK only. It keeps its data in memory.</summary>
    Garnet,
}
