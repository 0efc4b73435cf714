using System.Globalization;
using System.Net;
using System.Text;

namespace Mcp.HighAvailability.Lab.Chaos.Report;

/// <summary>Builds a page. What is put into holes is escaped, so that nothing that a server or a client says becomes a part of the page.</summary>
internal sealed class Html
{
    private readonly StringBuilder _text = new();

    /// <summary>Adds markup with escaped holes; numbers are written the same everywhere.</summary>
    public Html Add(FormattableString markup)
    {
        var holes = markup.GetArguments().Select(static object? (hole) => Escape(hole)).ToArray();
        _text.AppendFormat(CultureInfo.InvariantCulture, markup.Format, holes).Append('\n');
        return this;
    }

    /// <summary>Adds markup that holds no text from elsewhere.</summary>
    public Html Raw(string markup)
    {
        _text.Append(markup).Append('\n');
        return this;
    }

    public override string ToString() => _text.ToString();

    private static object? Escape(object? hole) => hole switch
    {
        string text => WebUtility.HtmlEncode(text),
        IFormattable number => number,
        _ => WebUtility.HtmlEncode(hole?.ToString()),
    };
}
