using System.Collections;

namespace Mcp.HighAvailability.Diagnostics;

/// <summary>Logger scope of a session: fields of every log record that is written during one of its calls.</summary>
internal sealed class SessionScope(string sessionId, string replica, long epoch) : IReadOnlyList<KeyValuePair<string, object?>>
{
    public int Count => 3;

    public KeyValuePair<string, object?> this[int index] => index switch
    {
        0 => new(AttributeNames.SessionId, sessionId),
        1 => new(AttributeNames.Replica, replica),
        2 => new(AttributeNames.Epoch, epoch),
        _ => throw new ArgumentOutOfRangeException(nameof(index)),
    };

    public IEnumerator<KeyValuePair<string, object?>> GetEnumerator()
    {
        for (var i = 0; i < Count; i++)
            yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public override string ToString() => $"{AttributeNames.SessionId}:{sessionId} {AttributeNames.Replica}:{replica} {AttributeNames.Epoch}:{epoch}";
}
