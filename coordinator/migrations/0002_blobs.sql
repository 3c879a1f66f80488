-- Archives of artifacts and caches. Their bytes are in the blob store, under the SHA-256 of the bytes.

create table blobs (
    sha text primary key, -- SHA-256, hex
    bytes bigint not null,
    named_at bigint not null, -- when an upload last said that it will use it
    doomed bigint not null -- it is being removed: who wants it waits until it is gone, and brings it again
);
create index blobs_doomed on blobs (sha) where doomed = 1;

create table artifacts (
    id text primary key,
    repository text not null references repositories (id),
    build bigint not null references builds (number),
    job text not null references jobs (id),
    attempt text not null references attempts (id),
    name text not null,
    sha text not null references blobs (sha),
    bytes bigint not null,
    files bigint not null,
    created_at bigint not null,
    expires_at bigint not null,
    unique (attempt, name)
);
create index artifacts_build on artifacts (build);
create index artifacts_repository on artifacts (repository);
create index artifacts_sha on artifacts (sha);
create index artifacts_expires on artifacts (expires_at);

create table caches (
    repository text not null references repositories (id),
    scope text not null, -- the reference whose builds wrote it
    key text not null,
    sha text not null references blobs (sha),
    bytes bigint not null,
    created_at bigint not null,
    used_at bigint not null,
    primary key (repository, scope, key)
);
create index caches_sha on caches (sha);
create index caches_used on caches (repository, used_at);
