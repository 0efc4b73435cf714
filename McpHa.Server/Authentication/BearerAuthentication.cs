using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.IdentityModel.Tokens;
using ModelContextProtocol.Authentication;

namespace McpHa.Server;

/// <summary>Admits clients with a JWT bearer token of the configured issuer.</summary>
public static class BearerAuthentication
{
    /// <summary>Adds JWT bearer authentication, unless <c>Bearer:Enabled</c> is <see langword="false"/>.</summary>
    /// <exception cref="InvalidOperationException">The section <c>Bearer</c> is missing or incomplete.</exception>
    public static void AddBearerAuthentication(this WebApplicationBuilder builder)
    {
        if (BearerSettings.From(builder.Configuration, builder.Environment) is not { } settings)
            return;
        builder.Services.AddSingleton(settings);
        builder.Services.AddAuthorization();
        builder.Services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer(options =>
        {
            // The tokens of "dotnet user-jwts" are checked by what it has written into the settings and user secrets of this project.
            if (!settings.UsesDevelopmentTokens)
            {
                options.Authority = settings.Authority;
                options.RequireHttpsMetadata = settings.Authority!.StartsWith("https:", StringComparison.OrdinalIgnoreCase);
            }

            options.Audience = settings.Audience ?? settings.Resource;
            options.MapInboundClaims = false; // claims keep the names that the issuer gave them
            options.TokenValidationParameters.NameClaimType = "name";
            options.TokenValidationParameters.RoleClaimType = "roles";
            var metadata = ProtectedResourceEndpointRouteBuilderExtensions.ProtectedResourceMetadataAddress(new Uri(settings.Resource!));
            options.Challenge = $"Bearer resource_metadata=\"{metadata}\"";
            options.Events = new JwtBearerEvents
            {
                // An issuer that cannot be reached is not an error of this server: it refuses the token, and the log says why.
                OnAuthenticationFailed = static context =>
                {
                    if (context.Exception is not SecurityTokenException)
                        context.Fail(context.Exception);
                    return Task.CompletedTask;
                },
            };
        });
    }

    /// <summary>Requires a token at the MCP endpoint, and tells clients where to get one.</summary>
    public static void RequireBearer(this IEndpointConventionBuilder mcp, WebApplication app)
    {
        if (app.Services.GetService<BearerSettings>() is not { } settings)
            return;
        mcp.RequireAuthorization();
        app.MapProtectedResource(new ProtectedResourceMetadata
        {
            Resource = settings.Resource,
            AuthorizationServers = settings.UsesDevelopmentTokens ? [] : [settings.Authority!],
            ScopesSupported = settings.Scopes,
        });
    }
}
