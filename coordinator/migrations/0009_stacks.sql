-- Stacks that live longer than what made them: the wanted state, who has it, and until when.

create table stacks (
    id text primary key,
    spec text not null, -- JSON: what it is made of
    attempt text unique references attempts (id), -- its owner, when that is an attempt
    agent text not null references agents (id),
    epoch bigint not null,
    wanted text not null check (wanted in ('running', 'deleted')),
    lease_until bigint not null, -- its agent has called until then; later it is unreachable
    created_at bigint not null,
    renew_us bigint not null, -- what each use gives it
    expires_at bigint not null,
    last_expires_at bigint not null -- no use moves expires_at beyond
);
create index stacks_agent on stacks (agent);
create index stacks_expiry on stacks (expires_at);
