-- One text for SQLite and PostgreSQL: integers and text only. Times are microseconds since 1970, flags are 0 or 1,
-- JSON is text, bytes are base64.

create table repositories (
    id text primary key,
    name text not null,
    git text not null,
    forge text not null check (forge in ('generic', 'github', 'gitea', 'forgejo', 'gitlab', 'bitbucket')),
    public bigint not null,
    hook_secret text not null, -- sealed
    created_at bigint not null,
    removed_at bigint
);
create unique index repositories_name on repositories (name) where removed_at is null;

create table deliveries (
    id text primary key,
    repository text not null references repositories (id),
    external_id text,
    event text not null,
    headers text not null, -- JSON
    body text not null, -- base64
    status text not null check (status in ('pending', 'done', 'failed')),
    tries bigint not null,
    message text,
    build bigint,
    received_at bigint not null,
    next_at bigint not null
);
create unique index deliveries_external on deliveries (repository, external_id);
create index deliveries_due on deliveries (next_at) where status = 'pending';
create index deliveries_age on deliveries (received_at);

create table builds (
    number bigint primary key,
    repository text not null references repositories (id),
    delivery text unique references deliveries (id),
    event text not null,
    branch text,
    tag text,
    reference text not null,
    sha text not null,
    title text not null,
    author text not null,
    trusted bigint not null,
    diagnostics text not null, -- JSON
    message text,
    rerun_of bigint,
    created_at bigint not null
);
create index builds_repository on builds (repository, number);

create table jobs (
    id text primary key,
    build bigint not null references builds (number),
    position bigint not null, -- in the build, from 0
    repository text not null, -- of the build
    name text not null,
    title text not null,
    matrix text not null, -- JSON
    needs text not null, -- JSON
    labels text not null, -- JSON, sorted
    lane text not null, -- repository and labels: jobs that are the same to the queue but for their age
    priority bigint not null,
    retries bigint not null,
    max_parallel bigint,
    fail_fast bigint not null,
    allow_failure bigint not null,
    held bigint not null, -- by max_parallel: another cell must end first
    linked bigint not null, -- its end matters to other jobs
    status text not null check (status in ('waiting', 'queued', 'assigned', 'running', 'passed', 'failed', 'errored',
        'cancelled', 'timed_out', 'skipped')),
    history text not null, -- everything that happened to it, a line of JSON each
    cancelling text, -- why, once somebody asked for it to stop
    reason_code text,
    reason text,
    attempts bigint not null,
    attempt text, -- the newest
    created_at bigint not null,
    queued_at bigint,
    started_at bigint,
    finished_at bigint,
    unique (build, position)
);
create index jobs_ready on jobs (lane, priority desc, build, position) where status = 'queued' and held = 0;
create index jobs_active on jobs (repository) where status in ('assigned', 'running');
create index jobs_open on jobs (build, position) where status in ('waiting', 'queued', 'assigned', 'running');

-- Apart from `jobs`, whose rows are written often: this is large and written once.
create table specs (
    job text primary key references jobs (id),
    spec text not null -- JSON
);

create table job_needs (
    build bigint not null,
    needs text not null, -- a job's name
    job text not null references jobs (id),
    primary key (build, needs, job)
);
create index job_needs_job on job_needs (job);

create table agents (
    id text primary key,
    name text not null,
    labels text not null, -- JSON, sorted
    slots bigint not null,
    software text not null,
    version bigint not null,
    capabilities text not null, -- JSON
    draining bigint not null,
    created_at bigint not null,
    seen_at bigint,
    removed_at bigint
);
create unique index agents_name on agents (name) where removed_at is null;

create table attempts (
    id text primary key,
    job text not null references jobs (id),
    number bigint not null,
    epoch bigint not null,
    agent text not null references agents (id),
    state text not null check (state in ('active', 'finished', 'lost')),
    verdict text,
    reason_code text,
    reason text,
    assigned_at bigint not null,
    started_at bigint,
    finished_at bigint,
    lease_until bigint not null,
    unique (job, number)
);
create index attempts_lease on attempts (lease_until) where state = 'active';
create index attempts_agent on attempts (agent) where state = 'active';

create table attempt_events (
    attempt text not null references attempts (id),
    seq bigint not null,
    event text not null, -- JSON
    primary key (attempt, seq)
);

-- Login links, sessions, API tokens, enrolment codes, agent tokens. The secret itself is nowhere.
create table credentials (
    hash text primary key, -- SHA-256, hex
    id text not null unique,
    kind text not null check (kind in ('login', 'session', 'api', 'enrol', 'agent')),
    name text not null,
    agent text references agents (id),
    created_at bigint not null,
    expires_at bigint,
    used_at bigint
);

create table secrets (
    repository text not null references repositories (id),
    name text not null,
    value text not null, -- sealed
    created_at bigint not null,
    updated_at bigint not null,
    last_used_at bigint,
    primary key (repository, name)
);

create table counters (
    name text primary key,
    value bigint not null
);
