using System.Globalization;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>The session record as fields of a hash.</summary>
internal static class RedisSessionRecord
{
    /// <summary>Fields and values, one after the other.</summary>
    public static void Write(SessionRecord record, List<RedisValue> fields)
    {
        Add(RedisFields.Owner, record.Owner);
        Add(RedisFields.Epoch, record.Epoch);
        Add(RedisFields.User, record.User);
        Add(RedisFields.Trace, record.TraceParent);
        Add(RedisFields.Version, record.ProtocolVersion);
        Add(RedisFields.Created, record.Created.UtcTicks);
        Add(RedisFields.Position, record.LastPosition);
        Add(RedisFields.Commit, record.LastCommit);
        Add(RedisFields.Entries, 0);
        Add(RedisFields.Bytes, 0);
        if (record.Hops.Count > 0)
            Add(RedisFields.Hops, RedisHops.Write(record.Hops));
        foreach (var (key, message) in record.Handshake)
            Add(RedisFields.Handshake + key, RedisFields.Value(message));

        void Add(string name, RedisValue value)
        {
            fields.Add(name);
            fields.Add(value);
        }
    }

    /// <summary>Fields that <see cref="ReadOwner"/> reads.</summary>
    public static readonly RedisValue[] OwnerFields = [RedisFields.Ended, RedisFields.Owner, RedisFields.Epoch, RedisFields.Position, RedisFields.Commit];

    /// <returns><see langword="null"/> when there is no session, or one that has ended.</returns>
    /// <exception cref="InvalidDataException">The fields are not those of a session.</exception>
    public static SessionOwner? ReadOwner(RedisKey key, RedisValue[] fields)
    {
        if (!fields[0].IsNull || fields.All(static field => field.IsNull))
            return null;
        if (fields[1].IsNull)
            throw RedisFaults.InvalidRecord(key);
        return new(fields[1]!, Positive(1, fields[2]), Positive(0, fields[3]), Positive(0, fields[4]));

        long Positive(long least, RedisValue field) => Number(key, field) is var number && number >= least ? number : throw RedisFaults.InvalidRecord(key);
    }

    /// <exception cref="InvalidDataException">The fields are not those of a session.</exception>
    public static SessionRecord Read(string sessionId, RedisKey key, HashEntry[] fields)
    {
        string? owner = null, user = null, trace = null, version = null;
        long epoch = 0, created = 0, position = -1, commit = -1;
        var hops = SessionHops.None;
        var handshake = new Dictionary<string, ReadOnlyMemory<byte>>();
        foreach (var field in fields)
        {
            var name = (string?)field.Name ?? "";
            switch (name)
            {
                case RedisFields.Owner: owner = field.Value; break;
                case RedisFields.Epoch: epoch = Number(key, field.Value); break;
                case RedisFields.User: user = field.Value; break;
                case RedisFields.Trace: trace = field.Value; break;
                case RedisFields.Version: version = field.Value; break;
                case RedisFields.Created: created = Number(key, field.Value); break;
                case RedisFields.Position: position = Number(key, field.Value); break;
                case RedisFields.Commit: commit = Number(key, field.Value); break;
                case RedisFields.Hops: hops = RedisHops.Read(field.Value); break;
                default:
                    if (name.StartsWith(RedisFields.Handshake, StringComparison.Ordinal))
                        handshake[name[RedisFields.Handshake.Length..]] = (byte[]?)field.Value ?? [];
                    break;
            }
        }

        if (owner is null || user is null || trace is null || version is null || epoch < 1 || position < 0 || commit < 0
            || created <= 0 || created > DateTimeOffset.MaxValue.UtcTicks)
            throw RedisFaults.InvalidRecord(key);

        return new()
        {
            Id = sessionId,
            Owner = owner,
            Epoch = epoch,
            User = user,
            TraceParent = trace,
            ProtocolVersion = version,
            Created = new DateTimeOffset(created, TimeSpan.Zero),
            LastPosition = position,
            LastCommit = commit,
            Hops = hops,
            Handshake = handshake,
        };
    }

    public static long Number(RedisKey key, RedisValue value) =>
        long.TryParse((string?)value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number
            : throw RedisFaults.InvalidRecord(key);
}
