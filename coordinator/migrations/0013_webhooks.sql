-- Any forge, by its word: the program knows which there are. A webhook that moves several references is kept in parts, with
-- what each means. While a hook's secret is exchanged, the one before counts, too.

alter table repositories add column forge_word text not null default 'generic';
update repositories set forge_word = forge;
alter table repositories drop column forge;
alter table repositories rename column forge_word to forge;
alter table repositories add column hook_secret_before text; -- sealed; null: none
alter table repositories add column hook_before_until bigint; -- when it stops to count

alter table deliveries add column part bigint not null default 0; -- which of the things that the body says, from 0
alter table deliveries add column meaning text; -- JSON; null: not kept yet, or the body could not be read
alter table deliveries add column body_of text; -- the delivery that keeps the body; null: this one
