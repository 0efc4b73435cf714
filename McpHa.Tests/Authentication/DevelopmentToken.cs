using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace McpHa.Tests;

/// <summary>A token like those of <c>dotnet user-jwts</c>, signed with a key of this test run.</summary>
internal static class DevelopmentToken
{
    private const string Issuer = "dotnet-user-jwts";
    private const string Audience = "http://localhost:5200/mcp";
    private const string Scheme = "Authentication__Schemes__Bearer__";

    private static readonly byte[] _key = RandomNumberGenerator.GetBytes(32);

    /// <summary>The header that a client sends.</summary>
    public static Dictionary<string, string> Headers { get; } = new() { ["Authorization"] = $"Bearer {Create("test")}" };

    /// <summary>Makes the servers accept it.</summary>
    public static void Trust(IDistributedApplicationTestingBuilder builder)
    {
        foreach (var project in builder.Resources.OfType<ProjectResource>())
        {
            project.Annotations.Add(new EnvironmentCallbackAnnotation(context =>
            {
                context.EnvironmentVariables[Scheme + "ValidIssuer"] = Issuer;
                context.EnvironmentVariables[Scheme + "SigningKeys__0__Issuer"] = Issuer;
                context.EnvironmentVariables[Scheme + "SigningKeys__0__Value"] = Convert.ToBase64String(_key);
            }));
        }
    }

    private static string Create(string user) => new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
    {
        Issuer = Issuer,
        Audience = Audience,
        Claims = new Dictionary<string, object> { ["sub"] = user },
        SigningCredentials = new(new SymmetricSecurityKey(_key), SecurityAlgorithms.HmacSha256),
    });
}
