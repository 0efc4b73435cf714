using System.Text;

namespace Mcp.HighAvailability.Balancer.Status.Page;

/// <summary>The replicas: state, load, version, age, and what operators can do with them.</summary>
internal static class ReplicaPart
{
    public static void Render(StringBuilder page, Status status, bool operations)
    {
        page.Append("<section aria-labelledby=\"replicas\"><h2 id=\"replicas\">Replicas</h2>");
        if (status.Replicas.Count == 0)
        {
            page.Append("<p>None yet. Requests wait for the first one.</p></section>");
            return;
        }

        page.Append("<div class=\"wide\" role=\"region\" aria-label=\"Table of replicas\" tabindex=\"0\"><table><caption class=\"unseen\">Replicas, by their " +
            "last heartbeats</caption><thead><tr>")
            .Append("<th scope=\"col\">Replica<small>address, process</small></th><th scope=\"col\">State</th>")
            .Append(operations ? "<th scope=\"col\" class=\"operation\">Operation</th>" : "")
            .Append("<th scope=\"col\" class=\"n\">Sessions</th><th scope=\"col\" class=\"n\">Calls</th><th scope=\"col\" class=\"n\">Heartbeat</th>")
            .Append("<th scope=\"col\" class=\"n\">Up for<small>version</small></th></tr></thead><tbody>");
        foreach (var replica in status.Replicas)
        {
            page.Append("<tr data-key=\"").Text(replica.Id).Append("\"><th scope=\"row\">").Text(replica.Id).Append("<small>");
            if (replica.Instance.Length > 0 && replica.Instance != replica.Id)
                page.Text(replica.Instance).Append("<br>");
            page.Text(replica.Address.TrimEnd('/')).Append(", ").Append(replica.ProcessId)
                .Append("</small></th><td class=\"").Append(replica.State).Append("\">").Append(State(replica)).Append("</td>");
            if (operations)
                RenderOperation(page, replica);
            page.Append("<td class=\"n\">");
            RenderLoad(page, replica, replica.Sessions);
            page.Append("</td><td class=\"n\">");
            RenderLoad(page, replica, replica.Calls);
            page.Append("</td><td class=\"n\">").Append(Html.Duration(replica.HeartbeatAgeMs)).Append(" ago</td><td class=\"n\">")
                .Append(replica.IsLost ? "–" : Html.Age(status.Time - replica.Started)).Append("<small>").Text(replica.Version).Append("</small></td></tr>");
        }

        page.Append("</tbody></table></div></section>");
    }

    // Counts of a lost replica are out of date: its sessions move.
    private static void RenderLoad(StringBuilder page, ReplicaStatus replica, int count)
    {
        if (replica.IsLost)
            page.Append('–');
        else
            page.Number(count);
    }

    private static string State(ReplicaStatus replica) => replica switch
    {
        { State: ReplicaStates.Draining, Stays: true, Sessions: 0 } => "drained",
        { State: ReplicaStates.Draining, Stays: false } => "shutting down",
        _ => replica.State,
    };

    private static void RenderOperation(StringBuilder page, ReplicaStatus replica)
    {
        page.Append("<td class=\"operation\">");
        if (!replica.IsLost && (replica.Stays || replica.State == ReplicaStates.Alive))
        {
            page.Append("<button type=\"button\" data-operation=\"").Append(replica.Stays ? "resume" : "drain").Append("\" data-replica=\"").Text(replica.Id)
                .Append("\">")
                .Append(replica.Stays ? "Resume" : "Drain").Append("<span class=\"unseen\"> ").Text(replica.Id).Append("</span></button>");
        }

        page.Append("</td>");
    }
}
