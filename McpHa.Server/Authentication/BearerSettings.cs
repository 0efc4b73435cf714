namespace McpHa.Server;

/// <summary>Settings of bearer tokens, from the configuration section <c>Bearer</c>. The server does not start while they are incomplete.</summary>
internal sealed class BearerSettings
{
    public const string SectionName = "Bearer";

    /// <summary>Issuer of the tokens that <c>dotnet user-jwts</c> makes on a developer's machine.</summary>
    public const string DevelopmentIssuer = "dotnet-user-jwts";

    /// <summary>
    /// Whether clients need a token. Only an explicit <see langword="false"/>, with no other setting in the section, serves clients without one.
    /// </summary>
    public bool Enabled { get; set; } = true;

    /// <summary>
    /// Issuer of the tokens (OpenID Connect discovery), e.g. <c>https://login.example.com/realms/main</c>. In the environment Development also
    /// <see cref="DevelopmentIssuer"/>.
    /// </summary>
    public string? Authority { get; set; }

    /// <summary>Public address of this MCP endpoint, e.g. <c>https://mcp.example.com/mcp</c>.</summary>
    public string? Resource { get; set; }

    /// <summary>Audience of the tokens. Default: <see cref="Resource"/> (RFC 8707).</summary>
    public string? Audience { get; set; }

    /// <summary>Scopes that clients are told to ask for. Default: none.</summary>
    public string[] Scopes { get; set; } = [];

    /// <summary>Whether <c>dotnet user-jwts</c> issues the tokens.</summary>
    public bool UsesDevelopmentTokens => Authority == DevelopmentIssuer;

    /// <summary>Reads the settings; <see langword="null"/> when <see cref="Enabled"/> is <see langword="false"/>.</summary>
    /// <exception cref="InvalidOperationException">The section is missing, empty, incomplete or contradictory.</exception>
    public static BearerSettings? From(IConfiguration configuration, IHostEnvironment environment)
    {
        var section = configuration.GetSection(SectionName);
        var settings = section.Get<BearerSettings>() ?? new();
        if (!settings.Enabled)
        {
            // An empty value removes a setting: environment variables cannot delete what a file says.
            return section.GetChildren().FirstOrDefault(IsContradiction) is { } contradiction
                ? throw new InvalidOperationException(
                    $"{SectionName}:{nameof(Enabled)} is false, but {contradiction.Path} is set. "
                    + $"Set {SectionName}:{nameof(Enabled)} to true to require tokens, or remove the other settings of the section to serve clients " +
                        "without one.")
                : null;
        }

        if (!IsAddress(settings.Authority, plainHttp: false) && !(settings.UsesDevelopmentTokens && environment.IsDevelopment()))
            throw Incomplete(nameof(Authority), settings.Authority,
                "the https address of the token issuer, such as https://login.example.com (http only for this machine)");
        if (!IsAddress(settings.Resource, plainHttp: true))
            throw Incomplete(nameof(Resource), settings.Resource, "the public address of this MCP endpoint, such as https://mcp.example.com/mcp");
        return settings;
    }

    private static bool IsContradiction(IConfigurationSection setting) =>
        !string.Equals(setting.Key, nameof(Enabled), StringComparison.OrdinalIgnoreCase) &&
            (!string.IsNullOrEmpty(setting.Value) || setting.GetChildren().Any());

    private static bool IsAddress(string? value, bool plainHttp) =>
        Uri.TryCreate(value, UriKind.Absolute, out var address)
        && (address.Scheme == Uri.UriSchemeHttps || address.Scheme == Uri.UriSchemeHttp && (plainHttp || address.IsLoopback));

    private static InvalidOperationException Incomplete(string property, string? value, string cure) => new(
        $"{SectionName}:{property} is '{value}', so every client would be refused. Set it to {cure}. "
        + $"To serve clients without a token, set {SectionName}:{nameof(Enabled)} to false and remove the other settings of the section.");
}
