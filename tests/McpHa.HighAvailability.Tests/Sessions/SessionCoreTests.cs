using FsCheck;
using FsCheck.Fluent;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>Steps of a session in any order, driven by hand: no threads, no clock, no store.</summary>
public sealed class SessionCoreTests
{
    public enum Input
    {
        /// <summary>A call that may be rerun begins.</summary>
        BeginLazy,

        /// <summary>A call that must not run twice begins.</summary>
        BeginOnce,

        /// <summary>A request that changes the handshake begins.</summary>
        BeginLevel,

        /// <summary>The moment is over for which a lazy beginning waits.</summary>
        FlushLazy,

        /// <summary>The newest call sends progress.</summary>
        Send,

        /// <summary>The newest call asks its client.</summary>
        Ask,

        /// <summary>The client answers the newest question, perhaps again.</summary>
        AnswerQuestion,

        /// <summary>The newest call writes session state.</summary>
        WriteState,

        /// <summary>The oldest call is answered.</summary>
        Answer,

        /// <summary>The oldest call is answered with more than may go unwritten.</summary>
        AnswerLarge,

        /// <summary>A relay sends an exchange again.</summary>
        Repeat,

        /// <summary>A relay goes on with the stream of a call.</summary>
        Resume,

        /// <summary>The client cancels the newest call.</summary>
        Cancel,

        /// <summary>The client opens a GET stream, and gets what has waited.</summary>
        OpenGet,

        /// <summary>The server sends something outside calls.</summary>
        SendUnrelated,

        /// <summary>The store answers the commit under way.</summary>
        Commit,

        /// <summary>The commit under way has waited for the store too long.</summary>
        Expire,

        /// <summary>The store has lost the session and gets it back.</summary>
        WriteBack,

        /// <summary>The session is to drain between two calls.</summary>
        DrainWhenQuiet,

        /// <summary>It stays after all, unless it drains already.</summary>
        StopDraining,

        /// <summary>The session is given up, with its calls or without.</summary>
        Release,

        /// <summary>Another owner is found in the store.</summary>
        Fence,
    }

    private static readonly Gen<Input> Inputs = Gen.Frequency(
        (5, Gen.Constant(Input.BeginLazy)), (3, Gen.Constant(Input.BeginOnce)), (2, Gen.Constant(Input.FlushLazy)), (5, Gen.Constant(Input.Send)),
        (2, Gen.Constant(Input.Ask)), (6, Gen.Constant(Input.Answer)), (1, Gen.Constant(Input.Cancel)), (2, Gen.Constant(Input.OpenGet)),
        (3, Gen.Constant(Input.SendUnrelated)), (8, Gen.Constant(Input.Commit)), (1, Gen.Constant(Input.WriteBack)), (1, Gen.Constant(Input.DrainWhenQuiet)),
        (1, Gen.Constant(Input.StopDraining)), (1, Gen.Constant(Input.Fence)), (1, Gen.Constant(Input.BeginLevel)), (2, Gen.Constant(Input.AnswerQuestion)),
        (3, Gen.Constant(Input.WriteState)), (1, Gen.Constant(Input.AnswerLarge)), (3, Gen.Constant(Input.Repeat)), (2, Gen.Constant(Input.Resume)),
        (1, Gen.Constant(Input.Expire)), (1, Gen.Constant(Input.Release)));

    [Theory]
    [InlineData(Durability.Durable)]
    [InlineData(Durability.Fast)]
    public void In_any_order_of_inputs_the_invariants_hold(Durability durability) => Prop.ForAll(Inputs.ListOf(60).ToArbitrary(), inputs =>
    {
        var driver = new SessionCoreDriver(durability);
        foreach (var input in inputs)
            driver.Do(input);
        driver.End();
        return true;
    }).CheckSeeded(1_000);

    [Fact]
    public void Every_phase_leads_to_an_end_and_none_leads_back()
    {
        foreach (var from in Enum.GetValues<SessionPhase>())
        {
            foreach (var to in Enum.GetValues<SessionPhase>())
                Assert.True(!from.MayBecome(to) || to > from, $"{from} may become {to}.");
            Assert.Equal(!from.IsOver(), from.MayBecome(SessionPhase.Fenced));
        }
    }

    [Fact]
    public void A_session_that_is_to_drain_between_two_calls_does_it_with_the_end_of_the_last_one()
    {
        var driver = new SessionCoreDriver(Durability.Durable);
        driver.Do(Input.BeginLazy);
        driver.Do(Input.DrainWhenQuiet);
        Assert.True(driver.Core.IsActive);

        driver.Do(Input.Answer);

        Assert.Equal(SessionPhase.Draining, driver.Core.Phase);
        Assert.True(HandOverSteps.StopDraining(driver.Core));
        Assert.Equal(AdmissionKind.NotServed, driver.Admit(mayRunTwice: true).Kind);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Late_in_a_drain_a_call_that_must_not_run_twice_waits(bool mayRunTwice, bool waits)
    {
        var driver = new SessionCoreDriver(Durability.Durable);
        driver.Core.Admission.HoldsOnce = true;
        Assert.Equal(waits ? AdmissionKind.Waits : AdmissionKind.Begun, driver.Admit(mayRunTwice).Kind);

        // Not while the client has been asked something: it may have to call before it answers.
        driver.Core.Questions["asked"] = new RequestId(1);
        Assert.Equal(AdmissionKind.Begun, driver.Admit(mayRunTwice).Kind);
    }

    [Fact]
    public void Calls_wait_while_the_session_is_paused_and_begin_when_it_stays()
    {
        var driver = new SessionCoreDriver(Durability.Durable);
        driver.Core.Admission.Paused = true;
        var waiting = driver.Admit(mayRunTwice: true);
        Assert.Equal(AdmissionKind.Waits, waiting.Kind);
        Assert.Equal(1, driver.Core.Admission.Waiting);

        driver.Core.Admission.Paused = false;

        Assert.Equal(AdmissionKind.Begun, driver.Admit(mayRunTwice: true, waiting.Waiting).Kind);
        Assert.Equal(0, driver.Core.Admission.Waiting);
    }

    [Fact]
    public void A_request_that_is_cancelled_while_it_waits_never_begins()
    {
        var driver = new SessionCoreDriver(Durability.Durable);
        driver.Core.Admission.Paused = true;
        var waiting = driver.Admit(mayRunTwice: true);

        CancellationSteps.Cancel(driver.Core, waiting.Waiting!.Id, ExchangeId.New());
        driver.Core.Admission.Paused = false;

        Assert.Equal(AdmissionKind.Withdrawn, driver.Admit(mayRunTwice: true, waiting.Waiting).Kind);
        Assert.Equal(0, driver.Core.Calls.Count);
    }
}
