using McpHa.Tests.Blocks;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace McpHa.Tests;

/// <summary>Every C# block of the documentation compiles, in one compilation.</summary>
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
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(file => MetadataReference.CreateFromFile(file));
        var options = new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable);

        var errors = CSharpCompilation.Create("Blocks", trees, references, options).GetDiagnostics()
            .Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);

        Assert.NotEmpty(blocks);
        Assert.Empty(errors.Select(error => $"{error.Location.SourceTree?.FilePath}: {error.GetMessage()}"));
    }
}
