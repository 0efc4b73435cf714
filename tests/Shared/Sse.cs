namespace McpHa.Tests;

/// <summary>Reads an event stream as a client does, block by block.</summary>
internal sealed class Sse(HttpResponseMessage response)
{
    private StreamReader? _reader;

    /// <summary>The next block (lines joined by <c>|</c>); <see langword="null"/> at the end. Comments only when asked for.</summary>
    public async Task<string?> NextAsync(bool comments = false)
    {
        _reader ??= new StreamReader(await response.Content.ReadAsStreamAsync());
        List<string> block = [];
        using var limit = new CancellationTokenSource(Wait.Limit);
        while (await _reader.ReadLineAsync(limit.Token) is { } line)
        {
            if (line.Length > 0)
                block.Add(line);
            else if (block.Count > 0 && (comments || block.Exists(l => l[0] != ':')))
                return string.Join('|', block);
            else
                block.Clear();
        }

        return block.Count > 0 ? throw new InvalidDataException("Half an event: " + string.Join('|', block)) : null;
    }

    public async Task<List<string>> RestAsync()
    {
        List<string> events = [];
        while (await NextAsync() is { } next)
            events.Add(next);
        return events;
    }
}
