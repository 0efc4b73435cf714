using System.Reflection;
using Mcp.HighAvailability.Sessions;

namespace McpHa.Tests.Sessions;

/// <summary>A session is plain data: what steps change waits for nothing and locks nothing.</summary>
public sealed class SessionDataTests
{
    // What the data refers to and other threads use.
    private static readonly Type[] _outside = [typeof(EventStream), typeof(OpenCall), typeof(SessionStateBag), typeof(CommitContext), typeof(CallCounter)];

    private static readonly Type[] _forbidden =
    [
        typeof(Lock), typeof(SemaphoreSlim), typeof(WaitHandle), typeof(ReaderWriterLockSlim), typeof(Task), typeof(ValueTask), typeof(ValueTask<>),
        typeof(TaskCompletionSource), typeof(TaskCompletionSource<>), typeof(CancellationTokenSource), typeof(ITimer), typeof(Timer),
    ];

    [Fact]
    public void The_data_of_a_session_has_no_lock_task_or_completion_source()
    {
        Dictionary<Type, FieldInfo[]> data = [];
        Add(typeof(SessionCore));

        Assert.Superset(
            new HashSet<Type>
            {
                typeof(CommitState), typeof(CommitBatch), typeof(CallTable), typeof(GetStreams), typeof(SessionBroadcasts),
                typeof(AdmissionState), typeof(WaitingRequest),
                typeof(JournalTail), typeof(UnreadEntries), typeof(RecordedHandshake), typeof(Effect),
            },
            data.Keys.ToHashSet());
        Assert.Empty(data.SelectMany(type => type.Value)
            .Where(field => Parts(field.FieldType).Any(IsForbidden))
            .Select(field => $"{field.DeclaringType!.Name}.{field.Name}: {field.FieldType}"));

        void Add(Type type)
        {
            if (type.Namespace != typeof(SessionCore).Namespace || type.IsEnum || _outside.Contains(type) || data.ContainsKey(type))
                return;
            data[type] = type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);
            foreach (var part in data[type].SelectMany(field => Parts(field.FieldType)))
                Add(part);
        }
    }

    [Fact]
    public void A_new_GET_stream_is_known_also_beside_many_that_are_read()
    {
        var streams = new GetStreams(1, single: false);
        for (var n = 0; n < 40; n++)
            streams.Open().Attach();

        Assert.Equal(40, streams.Known.Count());
    }

    // A type, what it is an array of, and what its type arguments are.
    private static IEnumerable<Type> Parts(Type type) =>
        [type, .. type.HasElementType ? Parts(type.GetElementType()!) : [], .. type.GetGenericArguments().SelectMany(Parts)];

    private static bool IsForbidden(Type type)
    {
        var definition = type.IsGenericType ? type.GetGenericTypeDefinition() : type;
        return Array.Exists(_forbidden, forbidden => forbidden.IsAssignableFrom(definition));
    }
}
