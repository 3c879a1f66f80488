-- What keeps a job from being run, and where a build stands in its concurrency group: a flag or a word for each.

alter table jobs add column blocked_by_max_parallel bigint not null default 0; -- other cells of its matrix come first
alter table jobs add column blocked_by_group bigint not null default 0; -- its build waits for another one of its group
alter table jobs add column expansion text not null default 'no'
    check (expansion in ('no', 'waiting', 'due')); -- complete; waits for its needs; can be expanded into its cells
update jobs set blocked_by_max_parallel = held % 2, blocked_by_group = held / 2 where held <> 0;
update jobs set expansion = case deferred when 1 then 'waiting' else 'due' end where deferred <> 0;

drop index jobs_ready;
drop index jobs_deferred;
alter table jobs drop column held;
alter table jobs drop column deferred;
create index jobs_ready on jobs (lane, priority desc, build, position)
    where status = 'queued' and blocked_by_max_parallel = 0 and blocked_by_group = 0;
create index jobs_to_expand on jobs (build) where expansion = 'due';

drop index builds_road;
alter table builds rename column road to group_state; -- running, waiting; null: over, or in no group
create index builds_in_group on builds (repository, concurrency, number) where group_state is not null;
