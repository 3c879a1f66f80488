-- What an agent has beside its slots; null: it does not say.

alter table agents add column memory_bytes bigint; -- for jobs, in all
alter table agents add column free_memory_bytes bigint; -- not asked for by what it works on or retains
alter table agents add column free_disk_bytes bigint;
