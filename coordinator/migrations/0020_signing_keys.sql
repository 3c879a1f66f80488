-- The keys that sign ID tokens. The oldest that is not retired signs; all are published.

create table signing_keys (
    id text primary key, -- its `kid`
    private text not null, -- PKCS #8, sealed
    public text not null, -- JSON Web Key
    created_at bigint not null
);
