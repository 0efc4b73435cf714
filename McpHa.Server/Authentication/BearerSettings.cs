namespace McpHa.Server.Authentication;

/// <summary>Sign-in by bearer tokens. Bound from the configuration section <c>Bearer</c>; while that is empty nobody has to sign in.</summary>
internal sealed class BearerSettings
{
    public const string SectionName = "Bearer";

    /// <summary>Who issues the tokens (OpenID Connect discovery), e.g. <c>https://login.example.com/realms/main</c>.</summary>
    public string? Authority { get; set; }

    /// <summary>Address by which clients know this MCP endpoint, e.g. <c>https://mcp.example.com/mcp</c>.</summary>
    public string? Resource { get; set; }

    /// <summary>What tokens name as their audience. Default: <see cref="Resource"/>, as RFC 8707 has it.</summary>
    public string? Audience { get; set; }

    /// <summary>Scopes that clients are told to ask for. Default: none.</summary>
    public string[] Scopes { get; set; } = [];

    /// <summary>The settings; <see langword="null"/> when the section is empty.</summary>
    /// <exception cref="InvalidOperationException">The section is there, but not complete.</exception>
    public static BearerSettings? From(IConfiguration configuration)
    {
        var section = configuration.GetSection(SectionName);
        // Variables of the environment can only empty what a file says.
        if (section.GetChildren().All(setting => string.IsNullOrEmpty(setting.Value) && !setting.GetChildren().Any()))
            return null;
        var settings = section.Get<BearerSettings>() ?? new();
        if (!IsAddress(settings.Authority, plainHttp: false))
            throw Incomplete(nameof(Authority), settings.Authority, "set it to the https address of the token issuer, such as https://login.example.com (http only for this machine)");
        if (!IsAddress(settings.Resource, plainHttp: true))
            throw Incomplete(nameof(Resource), settings.Resource, "set it to the public address of this MCP endpoint, such as https://mcp.example.com/mcp");
        return settings;
    }

    private static bool IsAddress(string? value, bool plainHttp) =>
        Uri.TryCreate(value, UriKind.Absolute, out var address) && (address.Scheme == Uri.UriSchemeHttps || address.Scheme == Uri.UriSchemeHttp && (plainHttp || address.IsLoopback));

    private static InvalidOperationException Incomplete(string property, string? value, string cure) =>
        new($"{SectionName}:{property} is '{value}', so nobody could sign in: {cure}, or remove the whole section {SectionName} to serve everybody.");
}
