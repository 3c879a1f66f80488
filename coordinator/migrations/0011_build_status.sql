-- Where each build stands, by its jobs. A table of its own: who ends a job locks this row last, and the row of `builds` first.

create table build_status (
    build bigint primary key references builds (number),
    status text not null check (status in
        ('queued', 'running', 'passed', 'failed', 'errored', 'cancelled', 'timed_out', 'skipped'))
);
create index build_status_by_status on build_status (status, build);

insert into build_status (build, status)
select b.number, case
    when count(j.id) = 0 then 'failed'
    when sum(case when j.status in ('assigned', 'running') or j.attempts > 0 and j.status = 'queued' then 1 else 0 end) > 0
        then 'running'
    when sum(case when j.status in ('waiting', 'queued') then 1 else 0 end) = count(j.id) then 'queued'
    when sum(case when j.status in ('waiting', 'queued') then 1 else 0 end) > 0 then 'running'
    when sum(case when j.status = 'failed' and j.allow_failure = 0 then 1 else 0 end) > 0 then 'failed'
    when sum(case when j.status = 'timed_out' and j.allow_failure = 0 then 1 else 0 end) > 0 then 'timed_out'
    when sum(case when j.status = 'errored' and j.allow_failure = 0 then 1 else 0 end) > 0 then 'errored'
    when sum(case when j.status = 'cancelled' then 1 else 0 end) > 0 then 'cancelled'
    when sum(case when j.status = 'skipped' then 1 else 0 end) = count(j.id) then 'skipped'
    else 'passed' end
from builds b left join jobs j on j.build = b.number group by b.number;

-- Why the code of a build is trusted or not.
alter table builds add column trust text not null default 'fork' check (trust in ('trusted', 'fork', 'no_branch'));
update builds set trust = case
    when trusted = 1 then 'trusted'
    when message = 'built as untrusted: the commit is on no branch or tag of the repository' then 'no_branch'
    else 'fork' end;
alter table builds drop column trusted;
