// Each of these classes starts the whole application, or changes the PATH of this process.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
