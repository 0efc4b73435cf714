using McpHa.Tests.Text;

namespace McpHa.Tests;

/// <summary>The worst of what makes text hard to read: riddles as subjects, long paragraphs, long lines.</summary>
[Trait("Category", "Quick")]
public sealed class LanguageTests
{
    [Fact]
    public void Sentences_name_their_subject() =>
        Assert.Empty(Prose.Pages.Concat(Prose.Sources).SelectMany(Riddles.In).Concat(Prose.Tests.SelectMany(Riddles.InComments)));

    [Fact]
    public void Paragraphs_of_the_pages_have_at_most_120_words() => Assert.Empty(Prose.Pages.SelectMany(Paragraphs.TooLong));

    [Fact]
    public void Lines_of_CSharp_have_at_most_160_characters() => Assert.Empty(Prose.Sources.Where(file => file.EndsWith(".cs", StringComparison.Ordinal)).SelectMany(file =>
        File.ReadLines(file).Select((line, index) => (line, index)).Where(at => at.line.Length > 160).Select(at => Prose.Place(file, at.index))));

    [Theory]
    [InlineData("Asks everybody of whom it is worth knowing.", 2)]
    [InlineData("Whoever asks gets an answer; nobody else does.", 2)]
    [InlineData("Lets an owner find out that it is none any more.", 1)]
    [InlineData("Gives up who has become overdue, set by who knows it.", 2)]
    [InlineData("A session belongs to the user who opened it.", 0)]
    public void Riddles_are_found(string sentence, int count) => Assert.Equal(count, Riddles.Count(sentence));
}
