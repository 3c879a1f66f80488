-- How a repository is reached at its forge, and what the forge is still to be told: one row for each thing that it is told
-- about. A change of that thing replaces what was not told yet, so the newest wins.

alter table repositories add column forge_api text; -- URL without a trailing slash; null: not connected
alter table repositories add column forge_project text; -- `owner/name`
alter table repositories add column forge_token text; -- sealed

create table outbox (
    id text primary key,
    kind text not null, -- commit_status | webhook
    repository text not null references repositories (id),
    subject text not null, -- of a commit status: commit and context, `COMMIT drover/push`
    build bigint, -- the newest build that it is about
    status text not null check (status in ('pending', 'sent', 'failed')),
    changes bigint not null, -- one that came while it was sent is sent, too
    tries bigint not null,
    next_at bigint not null,
    message text, -- what is wrong
    changed_at bigint not null,
    sent_at bigint,
    unique (repository, kind, subject)
);
create index outbox_due on outbox (next_at) where status = 'pending';

-- Forges that answered with an error that goes away, or asked for a pause: nothing is sent before.
create table forge_holds (
    api text primary key,
    failures bigint not null, -- since the last good answer
    until bigint not null
);
