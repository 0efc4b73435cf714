using McpHa.Tests.Blocks;
using McpHa.Tests.Pages;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace McpHa.Tests;

/// <summary>Every C# block of the documentation compiles, in one compilation, and so do the publish targets of the template.</summary>
public sealed class CodeTests
{
    [Fact]
    public void Every_block_of_CSharp_compiles()
    {
        var blocks = CodeBlocks.All.ToArray();
        var trees = blocks
            .Zip(CodeBlocks.Sources(blocks), (block, source) => CSharpSyntaxTree.ParseText(source, path: block.ToString()))
            .Append(CSharpSyntaxTree.ParseText(CodeBlocks.GlobalUsings))
            .Append(CSharpSyntaxTree.ParseText(CodeBlocks.Projects))
            .Append(CSharpSyntaxTree.ParseText(CodeBlocks.Azure));

        Assert.NotEmpty(blocks);
        Assert.Empty(Errors(trees));
    }

    [Theory]
    [InlineData("compose")]
    [InlineData("kubernetes")]
    public void The_publish_target_of_the_template_compiles(string target)
    {
        var publisher = target == "compose" ? Publishers.Compose : Publishers.Kubernetes;
        var file = Path.Combine(Page.Root, "eng", "template", target, "McpHa.AppHost", "Deployment.cs");

        Assert.Empty(Errors([
            CSharpSyntaxTree.ParseText(File.ReadAllText(file), path: file),
            CSharpSyntaxTree.ParseText(publisher),
            CSharpSyntaxTree.ParseText(CodeBlocks.GlobalUsings),
        ]));
    }

    private static IEnumerable<string> Errors(IEnumerable<SyntaxTree> trees)
    {
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(file => MetadataReference.CreateFromFile(file));
        var options = new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable);
        return CSharpCompilation.Create("Blocks", trees, references, options).GetDiagnostics()
            .Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)
            .Select(error => $"{error.Location.SourceTree?.FilePath}: {error.GetMessage()}");
    }
}
