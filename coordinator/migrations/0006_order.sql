-- The order of pushes, what an agent's labels are bound to, and caches of commits that are not on the branch they name.

-- What was pushed, a row for each push that was processed, in that order; kept as long as a delivery may be late.
create table pushes (
    repository text not null references repositories (id),
    stream text not null, -- what moves: a reference, or a pull request
    seq bigint not null, -- in the stream, from 1
    before text, -- the commit before; '0': there was none; null: nobody says
    after text not null, -- the commit from then on; '0': it was removed
    mark text not null, -- tells apart what moved nothing: a pull request that was opened again
    forge_at bigint, -- by the forge's clock
    was_tip bigint not null, -- the reference pointed at it when it was processed
    build bigint,
    at bigint not null,
    primary key (repository, stream, seq)
);
create index pushes_age on pushes (repository, at);

alter table builds add column ordered_at bigint not null default 0; -- when it was asked for: the order of a group
alter table builds add column place bigint not null default 0; -- in its group, while it is not over
alter table builds add column cache_scope text; -- null: its reference
update builds set ordered_at = created_at, place = number;
create index builds_group on builds (repository, concurrency, ordered_at) where concurrency is not null;

alter table agents add column asked_labels text; -- JSON: what it asks for, when that is something else
alter table credentials add column labels text; -- JSON: of the agent that an enrolment code lets in; null: as it asks
