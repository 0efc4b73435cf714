namespace Mcp.HighAvailability.Lab.Chaos.Report;

/// <summary>How the page looks, on light and on dark screens. The kinds of fault have a colour each, as a class with their name.</summary>
internal static class ChaosStyle
{
    public const string Sheet = """

        :root { --ink: #1d2430; --soft: #667; --paper: #fff; --line: #d9dde5; --call: #9fb4cc; --bad: #c8102e; --good: #1a7f37;
          --kill: #c8102e; --term: #e8871e; --pause: #6f42c1; --cut: #0b7a75; --balancer: #0a58ca;
          --redis-restart: #9c6b1e; --redis-wipe: #b0308f; --redis-outage: #57606a; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa3b2; --paper: #14181f; --line: #323a47;
          --call: #48617e; --bad: #ff6b7d; --good: #5fd387;
          --kill: #ff6b7d; --term: #f5ad5b; --pause: #b692ff; --cut: #4fd1c5; --balancer: #6ea8fe;
          --redis-restart: #d9a858; --redis-wipe: #f48fd8; --redis-outage: #aab4c0; } }
        body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto; max-width: 1200px; padding: 0 1rem; }
        h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
        .good { color: var(--good); } .bad { color: var(--bad); }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
        th, td { border-bottom: 1px solid var(--line); padding: .2rem .8rem .2rem 0; text-align: right; }
        th:first-child, td:first-child, td.text { text-align: left; }
        pre { overflow-x: auto; border: 1px solid var(--line); padding: .6rem; font-size: 12px; }
        summary { cursor: pointer; }
        .timeline { overflow-x: auto; border: 1px solid var(--line); }
        svg { display: block; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; } svg line { stroke: var(--line); }
        svg .call { fill: var(--call); } svg .error { fill: var(--bad); } svg line.violation { stroke: var(--bad); stroke-width: 1.5; }
        i { display: inline-block; width: .7em; height: .7em; }
        .kill { fill: var(--kill); background: var(--kill); } .term { fill: var(--term); background: var(--term); }
        .pause { fill: var(--pause); background: var(--pause); } .cut { fill: var(--cut); background: var(--cut); }
        .balancer { fill: var(--balancer); background: var(--balancer); } .redis-restart { fill: var(--redis-restart); background: var(--redis-restart); }
        .redis-wipe { fill: var(--redis-wipe); background: var(--redis-wipe); } .redis-outage { fill: var(--redis-outage); background: var(--redis-outage); }

        """;
}
