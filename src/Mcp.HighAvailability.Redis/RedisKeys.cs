using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Every key and channel in Redis.</summary>
/// <remarks>
/// The braces are hash tags: in a Redis Cluster all keys of a session, and all keys of a handle, are in one hash slot, so
/// that one script may write them. With the prefix <c>mcp-ha:</c>, without the name of an application:
/// <code>
/// mcp-ha:{SESSION}:session   hash    the record; fields in <see cref="RedisFields"/>. Of an ended session only the field "ended"
/// mcp-ha:{SESSION}:journal   list    the entries in ascending position, each as <see cref="RedisJournalEntry"/> writes it
/// mcp-ha:{SESSION}:calls     hash    the in-flight table
/// mcp-ha:{SESSION}:state     hash    the session state
/// mcp-ha:{sessions}:open     zset    SESSION, by the Unix ms at which its record expires: only to count them
/// mcp-ha:{HANDLE}:handle     hash    user, version, and the values as k:KEY
/// mcp-ha:{HANDLE}:applied    hash    the remembered calls: r:CALL = response, and a ring s:SLOT = CALL to forget the oldest
/// mcp-ha:{service:TYPE}:handle  hash  the holder of a cluster service, a handle that no client can name; the version is its fence
/// mcp-ha:{TASK}:task         hash    the record of a task; an ended one is kept without request and claims
/// mcp-ha:{TASK}:inputs       hash    q:KEY = question to the client, a:KEY = its answer
/// mcp-ha:{TASK}:checkpoints  hash    what the task's tool keeps
/// mcp-ha:{tasks}:kept        zset    TASK USER-HASH, by the Unix ms at which the task expires at the earliest
/// mcp-ha:{tasks}:users       hash    user hash = tasks that are kept for the user
/// mcp-ha:{tasks}:owners      hash    replicas that may have tasks that have not ended, and * for those that were given up
/// mcp-ha:{tasks}:of:OWNER    hash    the tasks of an owner that may not have ended
/// mcp-ha:{tasks}:made:HASH   string  the task that an HTTP exchange has created, for two minutes
/// mcp-ha:replicas            hash    replica id = Unix ms of the last heartbeat, a space, ReplicaInfo as JSON;
///                                    and the run of the store as :run, its server's run id and the Unix microseconds since when
/// mcp-ha:{broadcasts}:log      hash    the broadcast log: incarnation, number, tail, run, bytes
/// mcp-ha:{broadcasts}:entries  list    its entries, oldest first, each as BroadcastEntry.ToBytes writes it
/// mcp-ha:{broadcasts}:ids      hash    publication id = position, of these entries
/// mcp-ha:data-protection     hash    data protection keys: name = XML
/// mcp-ha:check               written and removed by the check at the start
/// mcp-ha:topic:{TOPIC}       channel of the event bus
/// </code>
/// </remarks>
internal sealed class RedisKeys(string prefix)
{
    private const string JournalSuffix = "}:journal";
    private const string BroadcastEntriesSuffix = "{broadcasts}:entries";
    private const string KeptSuffix = ":kept";
    private const string OpenSuffix = "{sessions}:open";
    private const string MadePart = "{tasks}:made:";

    public RedisKey Replicas { get; } = prefix + "replicas";

    public RedisKey DataProtection { get; } = prefix + "data-protection";

    /// <summary>Written and removed again by the check at the start.</summary>
    public RedisKey Check { get; } = prefix + "check";

    public RedisKey Broadcasts { get; } = prefix + "{broadcasts}:log";

    /// <summary>Log, entries, ids: the order in which the scripts expect them.</summary>
    public RedisKey[] WholeBroadcastLog { get; } = [prefix + "{broadcasts}:log", prefix + BroadcastEntriesSuffix, prefix + "{broadcasts}:ids"];

    /// <summary>The sessions that have a record.</summary>
    public RedisKey OpenSessions { get; } = prefix + OpenSuffix;

    public RedisKey Session(string sessionId) => Tagged(sessionId, "}:session");

    public RedisKey Journal(string sessionId) => Tagged(sessionId, JournalSuffix);

    public RedisKey Calls(string sessionId) => Tagged(sessionId, "}:calls");

    public RedisKey State(string sessionId) => Tagged(sessionId, "}:state");

    public RedisKey Handle(string handle) => Tagged(handle, "}:handle");

    public RedisKey Applied(string handle) => Tagged(handle, "}:applied");

    /// <summary>Record of a task.</summary>
    public RedisKey Task(string taskId) => Tagged(taskId, "}:task");

    /// <summary>Record, inputs, checkpoints: the order in which the scripts expect them.</summary>
    public RedisKey[] WholeTask(string taskId) => [Task(taskId), Tagged(taskId, "}:inputs"), Tagged(taskId, "}:checkpoints")];

    public RedisKey TasksKept { get; } = prefix + "{tasks}" + KeptSuffix;

    public RedisKey TaskUsers { get; } = prefix + "{tasks}:users";

    public RedisKey TaskOwners { get; } = prefix + "{tasks}:owners";

    public RedisKey TasksOf(string owner) => prefix + "{tasks}:of:" + owner;

    /// <summary>The task that an exchange has created.</summary>
    public RedisKey TaskOf(string exchange) => prefix + MadePart + exchange;

    // On a Redis Cluster all members use the node of the channel's slot: messages that pass through several nodes overtake each other.
    // The slot of "broadcasts" is that of the broadcast log, whose script publishes.
    public RedisChannel Topic(string topic) => RedisChannel.Literal(prefix + "topic:{" + topic + "}").WithKeyRouting();

    /// <summary>Record, journal, calls, state: the order in which the scripts expect them.</summary>
    public RedisKey[] WholeSession(string sessionId) => [Session(sessionId), Journal(sessionId), Calls(sessionId), State(sessionId)];

    /// <summary>The type that Redis has to report for a key of ours.</summary>
    public static string TypeOf(RedisKey key) => (string?)key switch
    {
        { } journal when journal.EndsWith(JournalSuffix, StringComparison.Ordinal) => "list",
        { } entries when entries.EndsWith(BroadcastEntriesSuffix, StringComparison.Ordinal) => "list",
        { } kept when kept.EndsWith(KeptSuffix, StringComparison.Ordinal) => "zset",
        { } open when open.EndsWith(OpenSuffix, StringComparison.Ordinal) => "zset",
        { } made when made.Contains(MadePart, StringComparison.Ordinal) => "string",
        _ => "hash",
    };

    private RedisKey Tagged(string tag, string suffix)
    {
        ArgumentException.ThrowIfNullOrEmpty(tag);
        return string.Concat(prefix, "{", tag, suffix);
    }
}
