using System.Security.Claims;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Security;

/// <summary>
/// What the SDK's authorization filters (<c>AddAuthorizationFilters</c>) leave open for <c>[Authorize]</c>: subscriptions, and a server that has attributes but
/// no authorization.
/// </summary>
internal sealed class PrimitiveAuthorization(IAuthorizationPolicyProvider? policies = null)
{
    /// <summary>Whether the server has anything that asks for an authorization.</summary>
    public static bool IsUsed(McpServerOptions options) => Guarded(options).Any();

    /// <summary>Refuses to start when attributes ask for what is not set up.</summary>
    /// <exception cref="InvalidOperationException">Authorization is not set up.</exception>
    public void Check(McpServerOptions options)
    {
        if (policies is null && Guarded(options).FirstOrDefault() is { } guarded)
        {
            throw new InvalidOperationException(
                $"'{guarded.Id}' carries [Authorize], but authorization is not set up, so every call would be refused. Add " +
                "builder.Services.AddAuthorization() and an authentication scheme, for example AddAuthentication().AddJwtBearer(), or remove the attribute.");
        }
    }

    /// <summary>Checks <c>[Authorize]</c> on subscriptions, which the SDK's filters omit.</summary>
    public void AddTo(McpServerOptions options) => options.Filters.Request.SubscribeToResourcesFilters.Insert(0, next => async (context, cancellationToken) =>
    {
        // The SDK looks for no resource here.
        var resource = options.ResourceCollection?.FirstOrDefault(r => context.Params is { Uri: { } uri } && r.IsMatch(uri));
        if (!await IsAllowedAsync(resource, context))
            throw new McpProtocolException("Access forbidden: This resource requires authorization.", McpErrorCode.InvalidRequest);
        return await next(context, cancellationToken);
    });

    private async ValueTask<bool> IsAllowedAsync<TParams>(IMcpServerPrimitive? primitive, RequestContext<TParams> context)
    {
        if (primitive is null || !IsGuarded(primitive))
            return true;
        if (policies is null || context.Services?.GetService<IAuthorizationService>() is not { } authorization)
            return false;
        if (await PolicyOfAsync(primitive).ConfigureAwait(false) is not { } policy)
            return true;
        var user = context.User ?? new ClaimsPrincipal(new ClaimsIdentity());
        return (await authorization.AuthorizeAsync(user, context, policy).ConfigureAwait(false)).Succeeded;
    }

    private async ValueTask<AuthorizationPolicy?> PolicyOfAsync(IMcpServerPrimitive primitive)
    {
        var metadata = primitive.Metadata;
        var policy = await AuthorizationPolicy.CombineAsync(
            policies!, metadata.OfType<IAuthorizeData>(), metadata.OfType<AuthorizationPolicy>()).ConfigureAwait(false);
        var demands = metadata.OfType<IAuthorizationRequirementData>().SelectMany(data => data.GetRequirements()).ToArray();
        if (demands.Length == 0)
            return policy;
        var demanded = new AuthorizationPolicyBuilder().AddRequirements(demands);
        return (policy is null ? demanded : demanded.Combine(policy)).Build();
    }

    private static IEnumerable<IMcpServerPrimitive> Guarded(McpServerOptions options) =>
        Of(options.ToolCollection).Concat(Of(options.PromptCollection)).Concat(Of(options.ResourceCollection)).Where(IsGuarded);

    private static IEnumerable<IMcpServerPrimitive> Of<T>(McpServerPrimitiveCollection<T>? collection) where T : IMcpServerPrimitive =>
        collection?.Cast<IMcpServerPrimitive>() ?? [];

    private static bool IsGuarded(IMcpServerPrimitive primitive)
    {
        var asks = false;
        foreach (var data in primitive.Metadata)
        {
            if (data is IAllowAnonymous)
                return false;
            asks |= data is IAuthorizeData or AuthorizationPolicy or IAuthorizationRequirementData;
        }

        return asks;
    }
}
