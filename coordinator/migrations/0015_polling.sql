-- Repositories that are asked for their references, and what they answered last. A reference that moved becomes a delivery.

create table polling (
    repository text primary key references repositories (id),
    every_secs bigint not null,
    next_at bigint not null, -- when it is asked; while it is being asked, when another coordinator may
    polled_at bigint, -- when it was asked last; null: not yet
    failures bigint not null default 0, -- polls since it last answered
    problem text -- why it did not answer; null: it did
);
create index polling_due on polling (next_at);

-- Apart from `polling`, which changes with every poll: this changes only when a reference has moved.
create table polled_references (
    repository text primary key references repositories (id),
    found text not null, -- JSON: the ids of branches and tags by their names
    at bigint not null
);

alter table deliveries add column polled bigint not null default 0; -- 1: found by polling; its body has the generic form
