-- People also act by comments at a forge: the program knows which kinds of actors there are.

alter table audit add column actor_word text not null default 'console';
update audit set actor_word = actor_kind;
alter table audit drop column actor_kind;
alter table audit rename column actor_word to actor_kind;
