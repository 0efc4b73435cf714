using System.Buffers;
using System.Net;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Relay;

/// <content>Answers that are no event streams.</content>
internal sealed partial class RelayRun
{
    /// <summary>Everything but an event stream: the client gets it when it has arrived whole.</summary>
    private async ValueTask<RelayFailure?> AnswerAsync(
        HttpResponseMessage response, RelayTarget target, bool resume, CancellationToken lost, CancellationToken over)
    {
        var length = response.Content.Headers.ContentLength;
        if (length > relay.Options.MaxMessageBytes)
            throw TooLarge();

        var buffer = length == 0 ? [] : ArrayPool<byte>.Shared.Rent((int)(length ?? 4096));
        try
        {
            var total = 0;
            try
            {
                var stream = await response.Content.ReadAsStreamAsync(over);
                while (total != length)
                {
                    if (total == buffer.Length)
                        buffer = Larger(buffer);

                    var read = await stream.ReadAsync(buffer.AsMemory(total), over);
                    if (read == 0)
                        break;

                    total += read;
                    if (total > relay.Options.MaxMessageBytes)
                        throw TooLarge();
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
            {
                _mayHaveRun = true;
                return new RelayFailure(target, KindOf(exception, lost) is RelayFailureKind.Lost ? RelayFailureKind.Lost : RelayFailureKind.Broken);
            }

            await AnswerAsync(response, buffer.AsMemory(0, total), resume);
            return null;
        }
        finally
        {
            if (buffer.Length > 0)
                ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async ValueTask AnswerAsync(HttpResponseMessage response, ReadOnlyMemory<byte> body, bool resume)
    {
        if (!client.IsStream)
        {
            // The lost owner had ended the session, and only its answer is missing.
            if (response.StatusCode == HttpStatusCode.NotFound && exchange.Method == HttpMethod.Delete && _mayHaveRun)
                response.StatusCode = HttpStatusCode.OK;

            await client.AnswerAsync(response, body);
        }
        else if (!resume && exchange.Method == HttpMethod.Post && IsJson(response) && !body.IsEmpty)
        {
            // Sent again into an open stream: the answer, also if it is an error, becomes its last event.
            await client.WriteMessageAsync(body);
        }
        else if (!response.IsSuccessStatusCode)
        {
            client.Abort(); // no clean end: the client must not take what it has got for everything
        }
    }

    private static bool IsJson(HttpResponseMessage response) =>
        response.Content.Headers.NonValidated.TryGetValues("Content-Type", out var type)
        && type.ToString().StartsWith("application/json", StringComparison.OrdinalIgnoreCase);

    private static byte[] Larger(byte[] full)
    {
        var larger = ArrayPool<byte>.Shared.Rent(full.Length * 2);
        full.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(full);
        return larger;
    }

    private InvalidDataException TooLarge() => new($"it is larger than {relay.Options.MaxMessageBytes} bytes.");
}
