using System.Security.Claims;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.HighAvailability.Authorization;

/// <summary>
/// <c>[Authorize]</c> and <c>[AllowAnonymous]</c> on tools, prompts and resources: what the caller may not use is left out of lists, and using it is refused.
/// </summary>
/// <remarks>Always on, in front of every filter of the user's: an attribute that says who may come in is never without effect.</remarks>
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
                $"'{guarded.Id}' carries [Authorize], but authorization is not set up, so nobody could ever use it: add builder.Services.AddAuthorization() and an authentication scheme, for example AddAuthentication().AddJwtBearer(), or take the attribute away.");
        }
    }

    public void AddTo(McpServerOptions options)
    {
        var filters = options.Filters.Request;
        filters.CallToolWithAlternateFilters.Insert(0, async (context, next, cancellationToken) =>
        {
            await DemandAsync(context.MatchedPrimitive, context, "tool").ConfigureAwait(false);
            return await next(context, cancellationToken).ConfigureAwait(false);
        });
        filters.GetPromptFilters.Insert(0, Demand<GetPromptRequestParams, GetPromptResult>("prompt"));
        filters.ReadResourceFilters.Insert(0, Demand<ReadResourceRequestParams, ReadResourceResult>("resource"));
        filters.SubscribeToResourcesFilters.Insert(0, next => async (context, cancellationToken) =>
        {
            // The SDK looks for no resource here, and whoever may not read one must not hear of its changes either.
            var resource = options.ResourceCollection?.FirstOrDefault(r => context.Params is { Uri: { } uri } && r.IsMatch(uri));
            await DemandAsync(resource, context, "resource").ConfigureAwait(false);
            return await next(context, cancellationToken).ConfigureAwait(false);
        });

        filters.ListToolsFilters.Insert(0, next => async (context, cancellationToken) =>
        {
            var result = await next(context, cancellationToken).ConfigureAwait(false);
            result.Tools = await VisibleAsync(result.Tools, t => Find(options.ToolCollection, t.Name), context).ConfigureAwait(false);
            return result;
        });
        filters.ListPromptsFilters.Insert(0, next => async (context, cancellationToken) =>
        {
            var result = await next(context, cancellationToken).ConfigureAwait(false);
            result.Prompts = await VisibleAsync(result.Prompts, p => Find(options.PromptCollection, p.Name), context).ConfigureAwait(false);
            return result;
        });
        filters.ListResourcesFilters.Insert(0, next => async (context, cancellationToken) =>
        {
            var result = await next(context, cancellationToken).ConfigureAwait(false);
            result.Resources = await VisibleAsync(result.Resources, r => Find(options.ResourceCollection, r.Uri), context).ConfigureAwait(false);
            return result;
        });
        filters.ListResourceTemplatesFilters.Insert(0, next => async (context, cancellationToken) =>
        {
            var result = await next(context, cancellationToken).ConfigureAwait(false);
            result.ResourceTemplates = await VisibleAsync(result.ResourceTemplates, r => Find(options.ResourceCollection, r.UriTemplate), context).ConfigureAwait(false);
            return result;
        });
    }

    private McpRequestFilter<TParams, TResult> Demand<TParams, TResult>(string what) => next => async (context, cancellationToken) =>
    {
        await DemandAsync(context.MatchedPrimitive, context, what).ConfigureAwait(false);
        return await next(context, cancellationToken).ConfigureAwait(false);
    };

    private async ValueTask DemandAsync<TParams>(IMcpServerPrimitive? primitive, RequestContext<TParams> context, string what)
    {
        if (!await IsAllowedAsync(primitive, context).ConfigureAwait(false))
            throw new McpProtocolException($"Access forbidden: this {what} asks for an authorization that the caller does not have.", McpErrorCode.InvalidRequest);
    }

    private async ValueTask<IList<T>> VisibleAsync<T, TParams>(IList<T> items, Func<T, IMcpServerPrimitive?> find, RequestContext<TParams> context)
    {
        List<T> visible = new(items.Count);
        foreach (var item in items)
        {
            if (await IsAllowedAsync(find(item), context).ConfigureAwait(false))
                visible.Add(item);
        }

        return visible.Count == items.Count ? items : visible;
    }

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

    private static T? Find<T>(McpServerPrimitiveCollection<T>? collection, string name) where T : class, IMcpServerPrimitive =>
        collection is not null && collection.TryGetPrimitive(name, out var found) ? found : null;
}
