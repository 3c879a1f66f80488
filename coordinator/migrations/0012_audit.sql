-- What people changed: a row for each change, written in its transaction and never written again.

create table audit (
    id text primary key, -- grows with time
    at bigint not null,
    actor_kind text not null check (actor_kind in ('session', 'token', 'console')),
    actor_id text, -- of the session or API token; null: the console of the coordinator's machine
    actor_name text not null,
    action text not null, -- `secret.set`
    subject text not null, -- what people call it; never a secret
    subject_id text, -- null: it is known by its name alone
    repository text, -- its name then
    build bigint
);
create index audit_age on audit (at);
