using FsCheck;
using FsCheck.Fluent;
using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests.Affinity;

public class AffinityTests
{
    private static readonly ReplicaInfo[] Seven = [.. Enumerable.Range(1, 7).Select(i => FixedRegistry.Info($"replica-{i}"))];

    [Fact]
    public void A_new_session_id_is_well_formed_and_carries_the_hint_of_its_replica() =>
        Prop.ForAll<NonNull<string>>(replica =>
        {
            var id = SessionIds.New(replica.Get);
            Assert.True(SessionIds.IsWellFormed(id));
            Assert.Matches("^[a-z0-9]{6}-[0-9a-f]{32}$", id);
            Assert.Equal(AffinityHint.Of(replica.Get), SessionIds.HintOf(id));
            Assert.NotEqual(id, SessionIds.New(replica.Get));
        }).CheckSeeded();

    [Fact]
    public void No_string_makes_reading_a_session_id_fail() =>
        Prop.ForAll<string>(text =>
        {
            var expected = text is { Length: > 0 and <= 128 } && text.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');
            Assert.Equal(expected, SessionIds.IsWellFormed(text));
            if (!expected)
                Assert.Null(SessionIds.HintOf(text));
        }).CheckSeeded();

    [Theory]
    [InlineData("a", true)]
    [InlineData("", false)]
    [InlineData(null, false)]
    [InlineData("a_b", false)]
    [InlineData("a.b", false)]
    [InlineData("é", false)]
    public void Only_letters_digits_and_dashes_make_a_session_id(string? id, bool wellFormed) => Assert.Equal(wellFormed, SessionIds.IsWellFormed(id));

    [Fact]
    public void A_session_id_may_have_128_characters_and_no_more()
    {
        Assert.True(SessionIds.IsWellFormed(new string('a', 128)));
        Assert.False(SessionIds.IsWellFormed(new string('a', 129)));
    }

    [Theory]
    [InlineData("abcdef")]
    [InlineData("ABCDEF-0")]
    [InlineData("abc-def-0")]
    [InlineData("abcdefg-0")]
    public void An_id_of_another_form_has_no_hint(string id) => Assert.Null(SessionIds.HintOf(id));

    [Fact]
    public void Hints_and_choices_are_the_same_in_every_process()
    {
        Assert.Equal("o7w1a9", AffinityHint.Of("replica-1"));
        Assert.Equal("replica-7", Rendezvous.Choose("session-1", Seven)!.Id);
    }

    [Fact]
    public void The_order_of_the_replicas_does_not_matter() =>
        Prop.ForAll<NonNull<string>, int>((key, seed) =>
        {
            var shuffled = (ReplicaInfo[])Seven.Clone();
            new Random(seed).Shuffle(shuffled);
            Assert.Same(Rendezvous.Choose(key.Get, Seven), Rendezvous.Choose(key.Get, shuffled));
        }).CheckSeeded();

    [Fact]
    public void When_a_replica_goes_only_its_own_sessions_move() =>
        Prop.ForAll<NonNull<string>, NonNegativeInt>((key, index) =>
        {
            var before = Rendezvous.Choose(key.Get, Seven)!;
            var gone = Seven[index.Get % Seven.Length];
            var after = Rendezvous.Choose(key.Get, [.. Seven.Where(replica => replica != gone)])!;
            Assert.True(before == gone ? after != gone : after == before);
        }).CheckSeeded();

    [Fact]
    public void Sessions_spread_evenly_over_replicas()
    {
        var shares = Enumerable.Range(0, 7000).GroupBy(i => Rendezvous.Choose($"session-{i}", Seven)!.Id).Select(group => group.Count()).ToList();
        Assert.Equal(7, shares.Count);
        Assert.All(shares, share => Assert.InRange(share, 850, 1150));
    }

    [Fact]
    public void New_work_goes_to_the_less_loaded_of_two()
    {
        ReplicaInfo[] two = [FixedRegistry.Info("busy", calls: 5), FixedRegistry.Info("idle", sessions: 20)];
        Assert.Equal("idle", new PowerOfTwoChoices().Choose(two, new Random(1))!.Id);
    }

    [Fact]
    public void Work_given_since_the_last_heartbeat_counts()
    {
        ReplicaInfo[] two = [FixedRegistry.Info("a", sessions: 10), FixedRegistry.Info("b")];
        var loads = new PowerOfTwoChoices();
        var random = new Random(1);
        var given = Enumerable.Range(0, 110).Select(_ => loads.Choose(two, random)!.Id).CountBy(id => id).ToDictionary();
        Assert.InRange(given["b"], 55, 65); // ten more than a, but for ties
    }

    [Fact]
    public void Without_replicas_nobody_is_chosen()
    {
        Assert.Null(Rendezvous.Choose("key", []));
        Assert.Null(new PowerOfTwoChoices().Choose([], Random.Shared));
    }
}
