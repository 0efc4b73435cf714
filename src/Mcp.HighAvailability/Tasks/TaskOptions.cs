using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Settings of tasks. Bound from the configuration section <c>HighAvailability:Tasks</c>.</summary>
public sealed class TaskOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string SectionName = HighAvailabilityOptions.SectionName + ":Tasks";

    /// <summary>When calls of tools without <see cref="RunAsTaskAttribute"/> become tasks. Default: <see cref="TaskMode.Never"/>.</summary>
    public TaskMode Mode { get; set; } = TaskMode.Never;

    /// <summary>When calls of single tools become tasks, by the name of the tool. Wins over <see cref="RunAsTaskAttribute"/>. Default: none.</summary>
    public IDictionary<string, TaskMode> Tools { get; set; } = new Dictionary<string, TaskMode>(StringComparer.Ordinal);

    /// <summary>How long a call of <see cref="TaskMode.AfterDelay"/> runs before it becomes a task. Default: 5 s.</summary>
    public TimeSpan Delay { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a task is kept after its last change. The result of a task can be read for so long after its end. Default: 1 hour.</summary>
    public TimeSpan TimeToLive { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How long a task may run, all owners together. Then it ends as <c>failed</c>. Default: 24 hours.</summary>
    public TimeSpan MaxRunTime { get; set; } = TimeSpan.FromHours(24);

    /// <summary>How often clients are asked to poll. Default: 1 s.</summary>
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Tasks that are kept for all users, those that have ended included. Beyond it a call that would become a task is refused. Default: 100,000.
    /// </summary>
    public int MaxTasks { get; set; } = 100_000;

    /// <summary>Tasks that are kept for each user who is signed in. Anonymous clients are bound by <see cref="MaxTasks"/> alone. Default: 1,000.</summary>
    public int MaxTasksPerUser { get; set; } = 1_000;
}

/// <summary>Checks the options at start; every message names the property and the cure.</summary>
internal sealed class TaskOptionsValidator : IValidateOptions<TaskOptions>
{
    public ValidateOptionsResult Validate(string? name, TaskOptions options)
    {
        List<string> errors = [];
        if (!Enum.IsDefined(options.Mode))
            errors.Add($"{TaskOptions.SectionName}:{nameof(options.Mode)} must be Never, Always, AfterDelay or Required.");
        foreach (var (tool, mode) in options.Tools)
        {
            if (!Enum.IsDefined(mode))
                errors.Add($"{TaskOptions.SectionName}:{nameof(options.Tools)}:{tool} must be Never, Always, AfterDelay or Required.");
        }

        Between(options.Delay, TimeSpan.Zero, TimeSpan.FromMinutes(5), nameof(options.Delay), "00:00:05");
        Between(options.TimeToLive, TimeSpan.FromSeconds(10), TimeSpan.FromDays(30), nameof(options.TimeToLive), "01:00:00");
        Between(options.MaxRunTime, TimeSpan.FromSeconds(1), TimeSpan.FromDays(30), nameof(options.MaxRunTime), "1.00:00:00");
        Between(options.PollInterval, TimeSpan.FromMilliseconds(50), TimeSpan.FromMinutes(10), nameof(options.PollInterval), "00:00:01");
        AtLeastOne(options.MaxTasks, nameof(options.MaxTasks), "100000");
        AtLeastOne(options.MaxTasksPerUser, nameof(options.MaxTasksPerUser), "1000");
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);

        void Between(TimeSpan value, TimeSpan least, TimeSpan most, string property, string example)
        {
            if (value < least || value > most)
                errors.Add($"{TaskOptions.SectionName}:{property} is {value}; set it between {least} and {most}, such as {example}.");
        }

        void AtLeastOne(int value, string property, string example)
        {
            if (value < 1)
                errors.Add($"{TaskOptions.SectionName}:{property} is {value}; set it to 1 or more, such as {example}.");
        }
    }
}
