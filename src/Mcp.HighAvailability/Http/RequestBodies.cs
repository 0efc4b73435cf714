using System.Buffers;
using Mcp.HighAvailability.Limits;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mcp.HighAvailability.Http;

/// <summary>Result of reading a request body.</summary>
internal enum BodyOutcome
{
    /// <summary>The body was read to its end.</summary>
    Whole,

    /// <summary>The body is larger than the limit of one body.</summary>
    TooLarge,

    /// <summary>The body does not fit into the budget of all bodies.</summary>
    OverBudget,
}

/// <summary>A request body as far as it was read; empty unless it is whole.</summary>
internal readonly record struct ReadBody(BodyOutcome Outcome, byte[] Bytes);

/// <summary>Reads request bodies whole. Memory follows the bytes that have arrived, never the length that a client promises.</summary>
internal sealed class RequestBodies(BodyBudget budget)
{
    /// <summary>The budget of all bodies.</summary>
    public BodyBudget Budget => budget;

    /// <summary>Reads a body; its bytes count towards the budget until the request ends.</summary>
    /// <exception cref="IOException">It breaks off, or is not what its headers say.</exception>
    public async ValueTask<ReadBody> ReadAsync(HttpContext context, int limit)
    {
        var request = context.Request;
        LiftServerLimit(context); // before the body is read, counted here to answer in JSON-RPC
        if (request.ContentLength > limit)
            return new(BodyOutcome.TooLarge, []);
        if (request.ContentLength == 0 || context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false })
            return new(BodyOutcome.Whole, []);

        var share = new Share(budget);
        context.Response.RegisterForDispose(share);
        var reader = request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(context.RequestAborted).ConfigureAwait(false);
            var buffer = read.Buffer;
            var fits = buffer.Length <= limit;
            if (!fits || !share.TryGrow(buffer.Length))
            {
                reader.AdvanceTo(buffer.End);
                share.Dispose();
                return new(fits ? BodyOutcome.OverBudget : BodyOutcome.TooLarge, []);
            }

            if (read.IsCompleted)
            {
                var body = buffer.ToArray();
                reader.AdvanceTo(buffer.End);
                return new(BodyOutcome.Whole, body);
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    /// <summary>Takes the web server's own limit off a body whose rest is read only to be dropped.</summary>
    private static void LiftServerLimit(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null;
    }

    // The bytes of one body. Disposed by the request's thread alone.
    private sealed class Share(BodyBudget budget) : IDisposable
    {
        private long _bytes;

        public bool TryGrow(long to)
        {
            if (!budget.TryTake(to - _bytes))
                return false;
            _bytes = to;
            return true;
        }

        public void Dispose()
        {
            budget.Release(_bytes);
            _bytes = 0;
        }
    }
}
