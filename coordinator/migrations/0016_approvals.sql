-- Builds of strangers' pull requests wait until somebody has looked at their commit.

alter table repositories add column approval text not null default 'untrusted'; -- whose pull requests wait: untrusted, never
alter table builds add column approval text check (approval in ('needed', 'approved')); -- null: it needs none
alter table builds add column approved_by text; -- for people
create index builds_unapproved on builds (repository, pull_request, sha) where approval = 'needed';
alter table jobs add column blocked_by_approval bigint not null default 0; -- its build waits for approval
drop index jobs_ready;
create index jobs_ready on jobs (lane, priority desc, build, position)
    where status = 'queued' and blocked_by_max_parallel = 0 and blocked_by_group = 0 and blocked_by_approval = 0;

create table approvals ( -- commits that somebody has looked at
    repository text not null references repositories (id),
    pull_request bigint not null,
    sha text not null,
    by_name text not null, -- for people
    at bigint not null,
    primary key (repository, pull_request, sha)
);
