-- Roads that are closed for a while, and a number that grows whenever that changes, so that a running service takes it.

create table closure (
    id         text collate "C" primary key,
    polygon    jsonb not null,    -- as it was drawn, with its datum
    reason     text not null,
    juris      text collate "C" not null,
    by         text not null,
    at         timestamptz not null,
    expires_at timestamptz not null,
    ended_at   timestamptz,
    ended_by   text
);
create index closure_open on closure (expires_at) where ended_at is null;

-- One row of its own: a change of what is registered may hold that of `meta` for long.
create table closures (changes bigint not null);
insert into closures values (0);

create function note_closed() returns trigger language plpgsql as $$
begin
    update closures set changes = changes + 1;
    return null;
end $$;

create trigger closure_noted after insert or update or delete on closure
    for each row execute function note_closed();

-- Keep a closure with its answer; false where `most` are in force already, raises KP003 where it has been answered.
create function put_closure(c jsonb, most integer) returns boolean language plpgsql as $$
begin
    perform 1 from closures for update;    -- one at a time, so that the bound holds
    if (select count(*) from closure where ended_at is null and expires_at > (c ->> 'at')::timestamptz) >= most then
        return false;
    end if;
    perform keep_reply(c, (c ->> 'at')::timestamptz);
    insert into closure select * from jsonb_populate_record(null::closure, c);
    return true;
end $$;
