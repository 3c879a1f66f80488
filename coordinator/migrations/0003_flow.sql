-- When builds start and how they share the road: pull requests, inputs, schedules, concurrency groups; outputs of jobs
-- and jobs that are expanded later.

-- What a build was made from, so that its deferred jobs can be expanded without the repository.
create table job_files (
    hash text primary key, -- SHA-256 of the content, hex
    content text not null -- JSON
);

alter table builds add column base text; -- the branch that a pull request wants to go into
alter table builds add column pull_request bigint;
alter table builds add column inputs text not null default '{}'; -- JSON
alter table builds add column facts text; -- JSON
alter table builds add column files text references job_files (hash);
alter table builds add column due text; -- the schedule and its time: one build for each
alter table builds add column concurrency text; -- the group
alter table builds add column concurrency_mode text;
alter table builds add column road text check (road in ('running', 'waiting')); -- in its group; null: over, or no group
create unique index builds_due on builds (due);
create index builds_road on builds (repository, concurrency, number) where road is not null;

-- A row to lock, so that builds of one group are made and end one after the other.
create table concurrency_groups (
    repository text not null references repositories (id),
    name text not null,
    primary key (repository, name)
);

-- `held` is a sum from here on: 1 by max_parallel, 2 by the concurrency group.
alter table jobs add column runs_after text not null default 'success'
    check (runs_after in ('success', 'failure', 'always', 'never')); -- how its needs must have ended
alter table jobs add column deferred bigint not null default 0; -- 0: complete; 1: waits for its needs; 2: to be expanded
alter table jobs add column failures bigint not null default 0; -- attempts that the user's job failed and that were tried again
create index jobs_deferred on jobs (build) where deferred = 2;

alter table specs add column placeholder text; -- JSON: what a cell was expanded from

create table outputs (
    job text primary key references jobs (id),
    outputs text not null -- JSON
);

create table schedules (
    repository text not null references repositories (id),
    position bigint not null, -- in the job file, from 0
    cron text not null,
    timezone text not null,
    missed text not null check (missed in ('run_once', 'skip')),
    inputs text not null, -- JSON
    next_at bigint, -- null: never
    try_at bigint, -- later than next_at when the repository could not be read
    message text, -- what came of the last time, when there is something to say
    build bigint, -- that it made last
    primary key (repository, position)
);
create index schedules_due on schedules (try_at);

alter table repositories add column inputs text not null default '[]'; -- JSON: of builds by hand, as its job file says
alter table deliveries add column reference text not null default ''; -- what it is about, for people
