using System.Buffers;

namespace Mcp.HighAvailability.Relay;

/// <summary>One whole event of an SSE stream.</summary>
/// <param name="Bytes">The event with its closing blank line; line ends are LF. Valid until the splitter is next given bytes.</param>
/// <param name="Id">Value of its last <c>id</c> field; empty when it has none.</param>
/// <param name="HasData">It has a <c>data</c> field that is not empty (a priming event has none).</param>
/// <param name="IsComment">It consists of comments only.</param>
internal readonly record struct SseEvent(ReadOnlyMemory<byte> Bytes, ReadOnlyMemory<byte> Id, bool HasData, bool IsComment);

/// <summary>Cuts a byte stream into whole SSE events, however the bytes arrive. Lines may end in LF, CRLF, CR, or a mixture.</summary>
/// <remarks>Use: fill <see cref="GetMemory"/>, <see cref="Advance"/>, <see cref="TryRead"/> until it answers <see langword="false"/>, again.</remarks>
internal sealed class SseEventSplitter(int maxEventBytes) : IDisposable
{
    private const int InitialBytes = 4096;

    private byte[] _buffer = [];
    private int _event; // start of the event in work
    private int _line; // start of the line in work
    private int _scan; // bytes before this hold no line end of the line in work
    private int _end;

    private bool _streamStarted;
    private bool _skipLineFeed; // the last line ended in CR at the end of what had arrived; an LF would belong to it
    private bool _hasCarriageReturn;
    private bool _hasField;
    private bool _hasComment;
    private bool _hasData;
    private (int Start, int Length) _id; // relative to _event

    /// <summary>Room for more bytes. Invalidates events that were read before.</summary>
    /// <exception cref="InvalidDataException">The event in work is larger than allowed.</exception>
    public Memory<byte> GetMemory()
    {
        if (_event > 0)
        {
            _buffer.AsSpan(_event, _end - _event).CopyTo(_buffer);
            (_line, _scan, _end, _event) = (_line - _event, _scan - _event, _end - _event, 0);
        }

        if (_end >= maxEventBytes)
            throw new InvalidDataException($"An event of the stream is larger than {maxEventBytes} bytes.");

        if (_end == _buffer.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(InitialBytes, _buffer.Length * 2));
            _buffer.AsSpan(0, _end).CopyTo(larger);
            ReturnBuffer();
            _buffer = larger;
        }

        return _buffer.AsMemory(_end);
    }

    /// <summary>Says how many bytes were put into <see cref="GetMemory"/>.</summary>
    public void Advance(int count) => _end += count;

    /// <summary>Reads the next whole event, if it has arrived.</summary>
    public bool TryRead(out SseEvent whole)
    {
        while (NextLine(out var start, out var length))
        {
            if (length > 0)
            {
                Note(start, length);
                continue;
            }

            if (!_hasField && !_hasComment)
            {
                StartEvent(); // blank lines between events
                continue;
            }

            var bytes = _hasCarriageReturn ? WithLineFeeds(_buffer.AsSpan(_event, start - _event)) : _buffer.AsMemory(_event, _line - _event);
            var id = _id.Length > 0 ? _buffer.AsMemory(_event + _id.Start, _id.Length) : default;
            whole = new SseEvent(bytes, id, _hasData, IsComment: !_hasField);
            StartEvent();
            return true;
        }

        whole = default;
        return false;
    }

    /// <summary>Returns the buffer while it holds no part of an event. Invalidates events that were read before.</summary>
    public void Release()
    {
        if (_event < _end)
            return;
        ReturnBuffer();
        _event = _line = _scan = _end = 0;
    }

    public void Dispose()
    {
        ReturnBuffer();
        _event = _line = _scan = _end = 0;
    }

    private void ReturnBuffer()
    {
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    private bool NextLine(out int start, out int length)
    {
        (start, length) = (0, 0);
        if (_skipLineFeed)
        {
            if (_line == _end)
                return false;

            _skipLineFeed = false;
            if (_buffer[_line] == '\n')
            {
                if (_event == _line)
                    _event++;
                _line = _scan = _line + 1;
            }
        }

        if (!_streamStarted && !SkipByteOrderMark())
            return false;

        var found = _buffer.AsSpan(_scan, _end - _scan).IndexOfAny((byte)'\n', (byte)'\r');
        if (found < 0)
        {
            _scan = _end;
            return false;
        }

        var at = _scan + found;
        (start, length) = (_line, at - _line);
        _line = _scan = at + 1;
        if (_buffer[at] == '\r')
        {
            _hasCarriageReturn = true;
            if (_line == _end)
                _skipLineFeed = true;
            else if (_buffer[_line] == '\n')
                _line = _scan = _line + 1;
        }

        return true;
    }

    private bool SkipByteOrderMark()
    {
        ReadOnlySpan<byte> mark = [0xEF, 0xBB, 0xBF];
        var head = _buffer.AsSpan(0, Math.Min(_end, mark.Length));
        if (mark.StartsWith(head) && head.Length < mark.Length)
            return false;

        _streamStarted = true;
        if (head.SequenceEqual(mark))
            _event = _line = _scan = mark.Length;

        return true;
    }

    private void Note(int start, int length)
    {
        var line = _buffer.AsSpan(start, length);
        if (line[0] == ':')
        {
            _hasComment = true;
            return;
        }

        _hasField = true;
        var colon = line.IndexOf((byte)':');
        var name = colon < 0 ? line : line[..colon];
        if (name.SequenceEqual("data"u8))
        {
            _hasData |= colon >= 0 && !line[(colon + 1)..].TrimStart((byte)' ').IsEmpty;
        }
        else if (name.SequenceEqual("id"u8))
        {
            var value = colon < 0 ? length : colon + 1;
            if (value < length && line[value] == ' ')
                value++;

            // The standard: an id with NUL in it is no id.
            if (!line[value..].Contains((byte)0))
                _id = (start + value - _event, length - value);
        }
    }

    private void StartEvent()
    {
        _event = _line;
        _hasCarriageReturn = _hasField = _hasComment = _hasData = false;
        _id = default;
    }

    // A lone CR at the end of what has arrived may turn out to be half a CRLF, when the event is already on its way: so events with
    // any CR are sent with LF, which comes out the same however the bytes were cut.
    private static byte[] WithLineFeeds(ReadOnlySpan<byte> lines)
    {
        var result = new byte[lines.Length + 1];
        var length = 0;
        for (var i = 0; i < lines.Length; i++)
        {
            if (lines[i] == '\n' && i > 0 && lines[i - 1] == '\r')
                continue;

            result[length++] = lines[i] == '\r' ? (byte)'\n' : lines[i];
        }

        result[length++] = (byte)'\n';
        return result[..length];
    }
}
