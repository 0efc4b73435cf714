using Mcp.HighAvailability.Relay;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Counts the responses of this balancer that are errors, its own and those of replicas.</summary>
internal sealed class ErrorResponses
{
    private long _tooManyRequests;
    private long _serverErrors;

    /// <summary>Responses with status 429, since the start.</summary>
    public long TooManyRequests => Volatile.Read(ref _tooManyRequests);

    /// <summary>Responses with a status of 500 or more, since the start; "may have run" is counted by itself.</summary>
    public long ServerErrors => Volatile.Read(ref _serverErrors);

    /// <summary>Counts what a handler responds.</summary>
    public RequestDelegate Wrap(RequestDelegate next) => async context =>
    {
        await next(context);
        if (context.Response.StatusCode == StatusCodes.Status429TooManyRequests)
            Interlocked.Increment(ref _tooManyRequests);
        else if (context.Response.StatusCode >= StatusCodes.Status500InternalServerError && !RelayError.IsMayHaveRun(context))
            Interlocked.Increment(ref _serverErrors);
    };
}
