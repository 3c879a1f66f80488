-- What a reason names beside its code and its sentence.
alter table jobs add column reason_details text; -- JSON: exit code, service, step; null: none of them
alter table attempts add column reason_details text;
