using System.Net.Sockets;
using System.Text;

namespace McpHa.Tests.Fuzz;

/// <summary>A connection that sends what it is given, and tells what came back.</summary>
internal sealed class RawConnection(int port) : IDisposable
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(60);

    private readonly byte[] _buffer = new byte[64 * 1024];
    private Socket? _socket;
    private int _length;

    /// <summary>Sends a case. The answers: status and body of each; fewer than expected when the connection was closed.</summary>
    public async Task<List<(int Status, string Text)>> SendAsync(FuzzCase @case)
    {
        using var limit = new CancellationTokenSource(AnswerTimeout);
        List<(int, string)> answers = [];
        try
        {
            if (_socket is null)
            {
                _socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await _socket.ConnectAsync("127.0.0.1", port, limit.Token);
            }

            for (var sent = 0; sent < @case.Wire.Length;)
            {
                var piece = @case.Piece == 0 ? @case.Wire.Length : Math.Min(@case.Piece, @case.Wire.Length - sent);
                sent += await _socket.SendAsync(@case.Wire.AsMemory(sent, Math.Min(piece, @case.Wire.Length - sent)), limit.Token);
            }

            if (!@case.Complete)
                _socket.Shutdown(SocketShutdown.Send);
            while (!@case.Complete || answers.Count < @case.Responses)
            {
                if (await ReadAsync(limit.Token) is not { } answer)
                    break;
                answers.Add((answer.Status, answer.Text));
                if (answer.Last)
                    break;
            }

            if (!@case.Complete || answers.Count < @case.Responses)
                Dispose();
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            Dispose(); // closed, which is an answer
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"No answer and no end of the connection to port {port} within {AnswerTimeout} for {@case}");
        }

        return answers;
    }

    public void Dispose()
    {
        _socket?.Dispose();
        _socket = null;
        _length = 0;
    }

    // Null: closed. Of an event stream only what comes with its beginning: whether it ends is not the matter here.
    private async Task<(int Status, string Text, bool Last)?> ReadAsync(CancellationToken cancellationToken)
    {
        int end;
        while ((end = _buffer.AsSpan(0, _length).IndexOf("\r\n\r\n"u8)) < 0)
        {
            if (!await FillAsync(cancellationToken))
                return null;
        }

        var head = Encoding.Latin1.GetString(_buffer, 0, end);
        var status = int.Parse(head.AsSpan(9, 3));
        Take(end + 4);
        if (head.Contains("text/event-stream", StringComparison.OrdinalIgnoreCase))
        {
            if (_length == 0)
                await FillAsync(cancellationToken);
            var seen = Encoding.UTF8.GetString(_buffer, 0, _length);
            Dispose();
            return (status, seen, true);
        }

        var text = "";
        if (Header(head, "Content-Length") is { } length)
        {
            text = await TakeAsync(int.Parse(length), cancellationToken);
        }
        else if (Header(head, "Transfer-Encoding") is not null)
        {
            while (await ChunkAsync(cancellationToken) is { Length: > 0 } chunk)
                text += chunk;
        }

        var last = status >= 200 && Header(head, "Connection") == "close";
        if (last)
            Dispose();
        return (status, text, last);
    }

    private async Task<string> ChunkAsync(CancellationToken cancellationToken)
    {
        int end;
        while ((end = _buffer.AsSpan(0, _length).IndexOf("\r\n"u8)) < 0)
        {
            if (!await FillAsync(cancellationToken))
                return "";
        }

        var size = Convert.ToInt32(Encoding.ASCII.GetString(_buffer, 0, end), 16);
        Take(end + 2);
        var chunk = await TakeAsync(size + 2, cancellationToken);
        return chunk.Length >= 2 ? chunk[..^2] : "";
    }

    private async Task<string> TakeAsync(int count, CancellationToken cancellationToken)
    {
        using var text = new MemoryStream();
        while (count > 0)
        {
            if (_length == 0 && !await FillAsync(cancellationToken))
                break;
            var part = Math.Min(count, _length);
            text.Write(_buffer, 0, part);
            Take(part);
            count -= part;
        }

        return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }

    private async Task<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_length == _buffer.Length)
            throw new IOException("The headers of an answer are larger than the buffer.");
        var read = await _socket!.ReceiveAsync(_buffer.AsMemory(_length), cancellationToken);
        _length += read;
        return read > 0;
    }

    private void Take(int count)
    {
        _length -= count;
        _buffer.AsSpan(count, _length).CopyTo(_buffer);
    }

    private static string? Header(string head, string name) => head.Split("\r\n")
        .Where(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase)).Select(line => line[(name.Length + 1)..].Trim()).FirstOrDefault();
}
