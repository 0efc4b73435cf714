using System.Collections.Concurrent;
using Mcp.HighAvailability.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Limits;

/// <summary>How many requests without a session are served at the same time, in all and of one user.</summary>
internal sealed class StatelessCalls(Refusals refusals, IOptions<LimitOptions>? options = null)
{
    private readonly LimitOptions _limits = options?.Value ?? new();
    private readonly ConcurrentDictionary<string, int> _users = new(StringComparer.Ordinal);
    private int _count;

    /// <summary>Signed-in users that have one under way.</summary>
    public int Users => _users.Count;

    /// <summary>Begins one. <see langword="false"/>: it was refused; otherwise <see cref="Exit"/> must follow.</summary>
    public async ValueTask<bool> EnterAsync(HttpContext context, string user, RequestId id)
    {
        if (Interlocked.Increment(ref _count) > _limits.StatelessCalls)
        {
            Interlocked.Decrement(ref _count);
            await HttpAnswers.FullAsync(context, $"it serves {_limits.StatelessCalls} requests without a session ({LimitOptions.SectionName}:StatelessCalls).",
                id).ConfigureAwait(false);
            return false;
        }

        if (user.Length > 0 && _users.AddOrUpdate(user, 1, static (_, count) => count + 1) > _limits.StatelessCallsPerUser)
        {
            Exit(user);
            await refusals.TooManyAsync(context, $"{_limits.StatelessCallsPerUser} requests of one user without a session",
                $"{LimitOptions.SectionName}:StatelessCallsPerUser", id).ConfigureAwait(false);
            return false;
        }

        return true;
    }

    public void Exit(string user)
    {
        Interlocked.Decrement(ref _count);
        if (user.Length > 0 && _users.AddOrUpdate(user, 0, static (_, count) => count - 1) == 0)
            _users.TryRemove(new(user, 0));
    }
}
