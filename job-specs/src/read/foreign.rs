//! Keys that people bring from elsewhere: from other CI systems, and the part of Compose that is not read.

use crate::reader::keys::Answer;
use crate::reader::keys::Foreign::{self, Hint, Ignored, Later, Means, Refused};

const NO_ACTIONS: Foreign = Hint("there are no actions or plugins: a step is an `image` and a `run`");
const IN_ORDER: Foreign = Hint("steps run one after the other, in the order of the file; jobs have `needs`");

/// Answers to keys that are written in a job.
pub(crate) const IN_A_JOB: &[Answer] = &[
    Hint("repositories have a priority; jobs of one build start as soon as their `needs` allow").answers(&["priority"]),
    Hint("`concurrency` is a key of the file; cells of one job have `max_parallel` in their matrix")
        .answers(&["concurrency"]),
    Hint("outputs are not declared: a step writes `KEY=value` to the file `$DROVER_OUTPUT`").answers(&["outputs"]),
    Means("cache").answers(&["caches"]),
    Means("artifacts").answers(&["artifact"]),
    Means("reports").answers(&["report"]),
    Means("retry").answers(&["retries"]),
    Means("hold_on_failure").answers(&["hold"]),
    Means("network").answers(&["network_mode"]),
    Means("steps").answers(&["script", "commands", "run", "before_script"]),
    Hint("write a last step with `when: {status: [success, failure]}`").answers(&["after_script"]),
    Hint("there are no stages: name the jobs that must pass first in `needs`").answers(&["stage"]),
    Means("needs").answers(&["depends_on", "dependencies", "requires"]),
    Means("env").answers(&["environment", "variables"]),
    Hint("write the axes under `matrix:`, with `fail_fast` and `max_parallel` beside them").answers(&["strategy"]),
    Means("matrix").answers(&["parallel"]),
    Means("runs_on").answers(&["tags", "labels", "agents"]),
    Means("image").answers(&["container", "docker"]),
    Means("timeout").answers(&["timeout_minutes"]),
    Means("allow_failure").answers(&["continue_on_error", "soft_fail", "allow_failures"]),
    Means("when").answers(&["if", "rules", "only", "except"]),
    Hint("the job's name is its key under `jobs:`").answers(&["name"]),
    Means("resources").answers(&["memory", "cpus"]),
];

/// Answers to keys that are written in a step.
pub(crate) const IN_A_STEP: &[Answer] = &[
    Means("retry").answers(&["retries", "attempts"]),
    Hint("outputs are not declared: the script writes `KEY=value` to the file `$DROVER_OUTPUT`").answers(&["outputs"]),
    Hint("`cache` belongs to the job, beside `steps:`").answers(&["cache"]),
    Hint("`artifacts` belongs to the job, beside `steps:`").answers(&["artifacts"]),
    Hint("an image is built by `image: {build: ., tags: […]}`").answers(&["build"]),
    Means("run").answers(&["script", "scripts", "command", "commands", "cmd"]),
    Hint("write `run: …` and `shell: bash`").answers(&["bash"]),
    Means("env").answers(&["environment", "variables"]),
    Means("workdir").answers(&["working_directory", "working_dir", "cwd", "directory"]),
    Means("allow_failure").answers(&["continue_on_error", "failure", "ignore_failure"]),
    Means("timeout").answers(&["timeout_minutes"]),
    Means("name").answers(&["id", "label"]),
    Means("image").answers(&["container"]),
    Means("when").answers(&["if"]),
    NO_ACTIONS.answers(&["uses", "with", "settings", "plugin", "plugins"]),
    IN_ORDER.answers(&["depends_on", "needs"]),
    Hint("a step that goes on running is a service: write it under `services:`").answers(&["detach"]),
    Hint("services belong to the job, beside `steps:`").answers(&["services"]),
    Refused("a privileged container could take over the agent's host").answers(&["privileged"]),
    Hint("a step has the workspace at /workspace; what must outlive it goes there").answers(&["volumes"]),
];

const HOST_ACCESS: Foreign = Refused("it would let the service out of its job, into the agent's host");

const NO_TERMINAL: &str = "nobody sits at a service's terminal";
const NAMES: &str = "a service is found by its key and its aliases";
const LIMITS: &str = "limits are `cpus`, `mem_limit` and `pids_limit`";

/// Answers to keys that are written in a service: all the rest of Compose, and a few of other systems.
pub(crate) const IN_A_SERVICE: &[Answer] = &[
    Later.answers(&[
        "label_file",
        "group_add",
        "provider",
        "models",
        "post_start",
        "pre_stop",
    ]),
    Hint("`extends` is read in Compose files, which the job's `compose:` names; here an anchor does it: `<<: *base`")
        .answers(&["extends"]),
    Refused("a privileged service could take over the agent's host").answers(&["privileged"]),
    Refused("a service is on its job's own network, under its own name").answers(&["network_mode"]),
    HOST_ACCESS.answers(&[
        "pid",
        "ipc",
        "uts",
        "cgroup",
        "cgroup_parent",
        "userns_mode",
        "devices",
        "device_cgroup_rules",
        "runtime",
        "gpus",
    ]),
    Refused("no job ever gets the engine's socket: it is root on the agent's host").answers(&["use_api_socket"]),
    Refused("a container outside the job could be meant; name a volume under `volumes` of both")
        .answers(&["volumes_from"]),
    Refused("it names credentials of the agent's host").answers(&["credential_spec"]),
    Ignored("nothing outside of the job is reached").answers(&["external_links"]),
    Refused("two jobs could not run at once on one agent; the service's key is its host name")
        .answers(&["container_name"]),
    Ignored("the service's output is a log of the job already").answers(&["logging", "attach"]),
    Ignored("a job's services are not rebuilt while it runs").answers(&["develop"]),
    Ignored("nothing reads them here").answers(&["annotations"]),
    Ignored(NO_TERMINAL).answers(&["stdin_open", "tty"]),
    Ignored(NAMES).answers(&["domainname"]),
    Ignored("addresses are the engine's choice").answers(&["mac_address"]),
    Ignored("it is for Windows").answers(&["isolation"]),
    Ignored("the agent's disk is not divided").answers(&["storage_opt"]),
    Ignored(LIMITS).answers(&[
        "blkio_config",
        "cpu_count",
        "cpu_percent",
        "cpu_shares",
        "cpu_period",
        "cpu_quota",
        "cpu_rt_runtime",
        "cpu_rt_period",
        "cpuset",
        "mem_reservation",
        "mem_swappiness",
        "memswap_limit",
        "oom_kill_disable",
        "oom_score_adj",
    ]),
    Means("environment").answers(&["env", "variables"]),
    Means("command").answers(&["cmd", "args", "commands", "run"]),
    Means("depends_on").answers(&["needs"]),
    Means("mem_limit").answers(&["memory"]),
    Means("healthcheck").answers(&["health_check"]),
    Means("ready").answers(&["wait_for", "readiness"]),
    Hint("engine options are keys of their own here: `healthcheck`, `user`, `tmpfs`, `mem_limit`, …")
        .answers(&["options"]),
    Hint("the service's name is its key under `services:`").answers(&["name"]),
    Hint("the service's key under `services:` is its host name").answers(&["alias"]),
    Hint("a service runs whenever its job does").answers(&["when"]),
];
