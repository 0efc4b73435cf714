using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Http;

/// <summary>CORS for clients that run in browsers, for the origins that <see cref="HighAvailabilityOptions.AllowedOrigins"/> lists.</summary>
/// <remarks>
/// Added when the response starts and not by the endpoint, because pages have to read a 401 too, which the endpoint never sees.
/// </remarks>
internal sealed class CrossOrigin(AccessGuard guard, ICorsService cors) : IStartupFilter
{
    /// <summary>Marks the endpoints that are meant.</summary>
    public static readonly object Metadata = new Marker();

    private readonly CorsPolicy _policy = new CorsPolicyBuilder()
        .SetIsOriginAllowed(guard.Origins.IsListed)
        .WithMethods(HttpMethods.Get, HttpMethods.Post, HttpMethods.Delete)
        .AllowAnyHeader() // tools name headers of their own (Mcp-Param-…)
        .WithExposedHeaders("Mcp-Session-Id", "WWW-Authenticate", "Retry-After")
        .SetPreflightMaxAge(TimeSpan.FromHours(1))
        .Build();

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        if (guard.Origins.AnyListed)
        {
            app.Use(inner => context =>
            {
                if (context.Request.Headers.Origin.Count > 0)
                    context.Response.OnStarting(static state => ((Answer)state).ApplyAsync(), new Answer(this, context));
                return inner(context);
            });
        }

        next(app);
    };

    /// <summary>Answers a browser that asks before it sends.</summary>
    public static Task PreflightAsync(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        context.Response.Headers.Allow = "GET, POST, DELETE, OPTIONS";
        return Task.CompletedTask;
    }

    private sealed record Answer(CrossOrigin CrossOrigin, HttpContext Context)
    {
        public Task ApplyAsync()
        {
            if (Context.GetEndpoint()?.Metadata.GetMetadata<Marker>() is not null)
                CrossOrigin.Apply(Context);
            return Task.CompletedTask;
        }
    }

    private void Apply(HttpContext context)
    {
        var headers = context.Response.Headers;
        foreach (var said in headers.Keys.Where(name => name.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase)).ToList())
            headers.Remove(said); // by the owner of the session, whose answer this replica passes on
        cors.ApplyResult(cors.EvaluatePolicy(context, _policy), context.Response);
    }

    private sealed class Marker;
}
