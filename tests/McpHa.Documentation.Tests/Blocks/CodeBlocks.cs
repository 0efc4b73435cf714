using System.Text.RegularExpressions;
using McpHa.Tests.Pages;

namespace McpHa.Tests.Blocks;

/// <summary>Makes one source file of each C# block, in a namespace of its own, so that all of them fit into one compilation.</summary>
internal static partial class CodeBlocks
{
    // As the projects of the pages have them: implicit usings of the web SDK, and of the AppHost.
    public const string GlobalUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Net.Http;
        global using System.Net.Http.Json;
        global using System.Threading;
        global using System.Threading.Tasks;
        global using Aspire.Hosting;
        global using Microsoft.AspNetCore.Builder;
        global using Microsoft.AspNetCore.Hosting;
        global using Microsoft.AspNetCore.Http;
        global using Microsoft.AspNetCore.Routing;
        global using Microsoft.Extensions.Configuration;
        global using Microsoft.Extensions.DependencyInjection;
        global using Microsoft.Extensions.Hosting;
        global using Microsoft.Extensions.Logging;
        """;

    // The projects that AppHosts of the pages name.
    public const string Projects = """
        namespace Projects
        {
            public class Project : IProjectMetadata { public string ProjectPath => "Project.csproj"; }
            public sealed class Server : Project;
            public sealed class Balancer : Project;
            public sealed class McpHa_Server : Project;
            public sealed class McpHa_Balancer : Project;
        }
        """;

    // Of Aspire.Microsoft.Azure.StackExchangeRedis, which the tests cannot restore everywhere.
    public const string Azure = """
        namespace Microsoft.Extensions.Hosting
        {
            public static class AzureRedis
            {
                public static Aspire.StackExchange.Redis.AspireRedisClientBuilder WithAzureAuthentication(this Aspire.StackExchange.Redis.AspireRedisClientBuilder builder) => builder;
            }
        }
        """;

    // A block without usings is a part of a file; readers know or import these.
    private const string FragmentUsings = """
        using System.ComponentModel;
        using Mcp.HighAvailability;
        using Mcp.HighAvailability.Hosting;
        using ModelContextProtocol;
        using ModelContextProtocol.Protocol;
        using ModelContextProtocol.Server;
        using StackExchange.Redis;
        """;

    // What fragments use and do not declare, as parameters of the method around them.
    private static readonly (string Name, string Declaration)[] Known =
    [
        ("builder", "WebApplicationBuilder builder"),
        ("app", "WebApplication app"),
        ("services", "IServiceCollection services"),
        ("notifier", "Mcp.HighAvailability.IClusterNotifier notifier"),
    ];

    // Members that fragments call: the reader's own work.
    private const string OwnWork = "private static Task WritePageAsync(int page, CancellationToken cancellationToken) => Task.CompletedTask;";

    /// <summary>All C# blocks: of the pages, of the packages, and of the README that a generated solution has.</summary>
    public static IEnumerable<Block> All =>
        Page.All.Concat(Directory.GetDirectories(Path.Combine(Page.Root, "src")).Select(folder => Path.Combine(folder, "README.md")))
            .Append("eng/template/content/README.md")
            .Where(page => File.Exists(Path.Combine(Page.Root, page)))
            .SelectMany(page => Page.Blocks(Path.GetRelativePath(Page.Root, Path.Combine(Page.Root, page))))
            .Where(block => block.Language == "csharp");

    /// <summary>The source files of blocks. A block sees the types that other blocks of its page declare.</summary>
    public static IEnumerable<string> Sources(IReadOnlyList<Block> blocks)
    {
        var types = blocks.Select((block, number) => (block.Page, Number: number, block.Text)).Where(block => Type().IsMatch(block.Text)).ToLookup(block => block.Page);
        return blocks.Select((block, number) => Source(block, number, types[block.Page].Select(other => other.Number).Where(other => other != number)));
    }

    private static string Source(Block block, int number, IEnumerable<int> neighbours)
    {
        var usings = string.Concat(Using().Matches(block.Text).Select(match => match.Value + "\n"));
        var text = Using().Replace(block.Text, "");
        var body = Type().IsMatch(text) ? text
            : Member().IsMatch(text) ? $"public static partial class Members\n{{\n{OwnWork}\n{text}\n}}"
            : $"public static class Program\n{{\npublic static async Task Main({Parameters(text)})\n{{\nawait Task.CompletedTask;\n{text}\n}}\n}}";
        var types = string.Concat(neighbours.Select(neighbour => $"using Block{neighbour};\n"));
        return $"namespace Block{number}\n{{\n{(usings.Length > 0 ? usings : FragmentUsings)}\n{(body == text ? "" : types)}\n{body}\n}}";
    }

    private static string Parameters(string text) => string.Join(", ", Known
        .Where(known => Regex.IsMatch(text, $@"\b{known.Name}\b") && !Regex.IsMatch(text, $@"\bvar {known.Name}\b"))
        .Select(known => known.Declaration)
        .Prepend("string[] args"));

    [GeneratedRegex(@"^using [\w.]+;\s*$", RegexOptions.Multiline)]
    private static partial Regex Using();

    [GeneratedRegex(@"^(?:public |internal |sealed |static |partial )*(?:class|record|interface|struct|enum) ", RegexOptions.Multiline)]
    private static partial Regex Type();

    [GeneratedRegex(@"^public static ", RegexOptions.Multiline)]
    private static partial Regex Member();
}
