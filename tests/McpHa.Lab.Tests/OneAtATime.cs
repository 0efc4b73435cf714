// Each of these tests runs a cluster. Two at once take longer than one after the other: the clients' time-outs and the replicas' starts get into each other's way.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
