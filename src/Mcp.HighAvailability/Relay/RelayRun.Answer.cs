using System.Buffers;
using Mcp.HighAvailability.Relay.Upstream;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Relay;

/// <content>Answers that are no event streams.</content>
internal sealed partial class RelayRun
{
    /// <summary>Everything but an event stream: the client gets it when it has arrived whole.</summary>
    private async ValueTask<RelayFailure?> AnswerAsync(ReplicaCall call, RelayTarget target, bool resume, CancellationToken lost)
    {
        if (call.Length > relay.Options.MaxMessageBytes)
            throw TooLarge();
        if (call.TryReadWhole(out var whole))
        {
            await AnswerAsync(call, whole, resume);
            return null;
        }

        var buffer = ArrayPool<byte>.Shared.Rent((int)(call.Length ?? 4096) + 1); // one more, to see the end
        try
        {
            var total = 0;
            int read;
            while ((read = await call.ReadAsync(buffer.AsMemory(total))) > 0)
            {
                total += read;
                if (total > relay.Options.MaxMessageBytes)
                    throw TooLarge();
                if (total == buffer.Length)
                    buffer = Larger(buffer);
            }

            if (read == ReplicaCall.Broken)
            {
                _mayHaveRun = true;
                return BrokenOff(target, lost);
            }

            await AnswerAsync(call, buffer.AsMemory(0, total), resume);
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async ValueTask AnswerAsync(ReplicaCall call, ReadOnlyMemory<byte> body, bool resume)
    {
        if (!client.IsStream)
        {
            // The lost owner had ended the session, and only its answer is missing.
            var ended = call.Status == StatusCodes.Status404NotFound && exchange.Method == HttpMethod.Delete && _mayHaveRun;
            await client.AnswerAsync(call, ended ? StatusCodes.Status200OK : call.Status, body);
        }
        else if (!resume && exchange.Method == HttpMethod.Post && call.IsJson && !body.IsEmpty)
        {
            // Sent again into an open stream: the answer, also if it is an error, becomes its last event.
            await client.WriteMessageAsync(body);
        }
        else if (call.Status is < 200 or >= 300)
        {
            client.Abort(); // no clean end: the client must not take what it has got for everything
        }
    }

    private static byte[] Larger(byte[] full)
    {
        var larger = ArrayPool<byte>.Shared.Rent(full.Length * 2);
        full.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(full);
        return larger;
    }

    private InvalidDataException TooLarge() => new($"it is larger than {relay.Options.MaxMessageBytes} bytes.");
}
