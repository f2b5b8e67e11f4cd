-- Whose turn it is: work that one process of an installation does, and the others leave to it until then.

create table turn (
    work   text primary key,
    until  timestamptz not null,
    failed boolean not null default false
) with (fillfactor = 50);

-- Who wants to leave once his unit is free: a question of the self-check.
create index member_leaving on member (unit_id) where leaves is not null;

-- The canary: one unit in a jurisdiction of its own, which no place on the ground may have.
alter table jurisdiction add constraint not_hidden check (path <> 'canary' and path not like 'canary.%') not valid;

-- What keeps failing rings once until somebody has taken note.
drop index alarm_once;
create unique index alarm_once on alarm (coalesce(incident_id, ''), juris, kind)
    where ended_at is null and kind in ('clock_failed', 'rows_lost', 'canary_failed');

-- The log stays append-only, but for the lines about the canary: only those are ever forgotten.
create function event_is_canary() returns trigger language plpgsql as $$
begin
    if old.unit_id is distinct from 'canary'
        and not exists (select 1 from incident i where i.id = old.incident_id and i.juris = 'canary') then
        raise exception 'the event log is append-only';
    end if;
    return old;
end $$;
drop trigger event_final on event;
create trigger event_final before update on event for each statement execute function event_is_final();
create trigger event_kept before delete on event for each row execute function event_is_canary();

-- Register the canary, once, and have it on duty; its phone opens nothing until it is given a token.
create function put_canary() returns void language plpgsql as $$
begin
    update member set duty = 'on', leaves = null where id = 'canary' and duty <> 'on';
    if exists (select 1 from device where id = 'canary') then
        return;
    end if;
    insert into unit (id, code, name, kind, juris, lon, lat, moves)
    values ('canary', 'canary', 'canary', 'office', 'canary', 0, 0, 'foot') on conflict do nothing;
    insert into member (id, unit_id, name, leader, duty)
    values ('canary', 'canary', 'canary', true, 'on') on conflict do nothing;
    insert into device (id, unit_id, member_id, token_hash)
    values ('canary', 'canary', 'canary', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())))
    on conflict do nothing;
end $$;

-- Forget canaries that were opened before then, with all that was written about them; returns how many.
create function forget_canaries(before timestamptz, most integer) returns integer language plpgsql as $$
declare
    old text[] := array(
        select id from incident where juris = 'canary' and opened_at < before order by id limit most
        for update skip locked);
begin
    delete from alarm where incident_id = any (old);
    delete from outbox where device_id = 'canary' and at < before;
    delete from due where incident_id = any (old);
    delete from event where incident_id = any (old);
    delete from assignment where incident_id = any (old);
    delete from offer where incident_id = any (old);
    delete from incident where id = any (old);
    return cardinality(old);
end $$;
create index incident_canary on incident (opened_at) where juris = 'canary';
-- By these the database finds, row by row, that nothing refers to a canary that goes.
create index incident_merged on incident (merged_into) where merged_into is not null;
create index alarm_incident on alarm (incident_id) where incident_id is not null;
