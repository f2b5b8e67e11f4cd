-- Units, members and phones changed one at a time, each change with its line in the log and its answer. Errors raised
-- by name: KP001 what was changed stands otherwise by now; KP002 the unit has an active assignment; KP003 the command
-- was answered meanwhile; KP004 another unit has this code.

alter table device add column enrolled_at timestamptz not null default now();

-- A code by which a phone is enrolled, known by the hash of it all: `name` is its first part, so that wrong guesses at
-- the rest are counted against this code. A member has one.
create table enrolment (
    name       text collate "C" primary key,
    hash       bytea not null check (length(hash) = 32),
    member_id  text collate "C" not null unique references member,
    expires_at timestamptz not null,
    tries      smallint not null default 0
);

create function keep_reply(d jsonb, moment timestamptz) returns void language plpgsql as $$
begin
    if d ? 'reply' then
        insert into reply (scope, id, digest, status, body, at)
        values (d #>> '{reply,scope}', d #>> '{reply,id}', decode(d #>> '{reply,digest}', 'base64'),
                (d #>> '{reply,status}')::integer, d #> '{reply,body}', moment)
        on conflict do nothing;
        if not found then
            raise exception using errcode = 'KP003', message = 'answered meanwhile';
        end if;
    end if;
end $$;

create function note_event(e jsonb) returns void language sql as $$
    insert into event (type, by, via, at, unit_id, data)
    values (e ->> 'type', e ->> 'by', e ->> 'via', (e ->> 'at')::timestamptz, e ->> 'unit_id', e -> 'data');
$$;

create function register_unit(d jsonb) returns void language plpgsql as $$
declare
    about  text := d #>> '{after,id}';
    moment timestamptz := (d #>> '{entry,at}')::timestamptz;
    stood  jsonb;
begin
    perform keep_reply(d, moment);
    if jsonb_typeof(d -> 'before') = 'null' then
        insert into unit (id, code, name, kind, juris, lon, lat, moves, capabilities, min_crew, fixed, disabled)
        select id, code, name, kind, juris, lon, lat, moves, capabilities, min_crew, fixed, disabled
        from jsonb_populate_record(null::unit, d -> 'after')
        on conflict (code) do nothing;
        if not found then
            raise exception using errcode = 'KP004', message = 'code taken';
        end if;
    else
        perform 1 from unit where id = about for no key update;
        select jsonb_object_agg(k, to_jsonb(u) -> k) into stood
        from unit u, jsonb_object_keys(d -> 'before') k where u.id = about;
        if stood is distinct from d -> 'before' then
            raise exception using errcode = 'KP001', message = 'changed meanwhile';
        end if;
        update unit u set
            name = r.name, kind = r.kind, juris = r.juris, lon = r.lon, lat = r.lat, moves = r.moves,
            capabilities = r.capabilities, min_crew = r.min_crew, fixed = r.fixed, disabled = r.disabled
        from jsonb_populate_record(null::unit, d -> 'after') r
        where u.id = about;
    end if;
    if (d #>> '{after,disabled}')::boolean then
        if exists (select 1 from assignment a where a.unit_id = about and a.ended_at is null) then
            raise exception using errcode = 'KP002', message = 'unit taken', detail = about;
        end if;
        -- Its crew leaves. To whoever asks it, it is as one that is engaged elsewhere: its offers are withdrawn.
        update member set duty = 'off', leaves = null where unit_id = about and duty <> 'off';
        insert into due (incident_id, kind, unit_id, at)
        select distinct o.incident_id, 'unit_engaged', about, moment from offer o
        where o.unit_id = about and o.state in ('open', 'lapsed')
        on conflict do nothing;
    end if;
    perform note_event(d -> 'entry');
end $$;

create function register_member(d jsonb) returns void language plpgsql as $$
declare
    about text := d ->> 'member_id';
begin
    perform keep_reply(d, (d #>> '{entry,at}')::timestamptz);
    if (d ->> 'new')::boolean then
        insert into member (id, unit_id, name, tel, leader)
        select about, d #>> '{entry,unit_id}', name, tel, leader
        from jsonb_populate_record(null::member, d -> 'changes');
    else
        update member m set
            name = coalesce(r.name, m.name), tel = coalesce(r.tel, m.tel), leader = coalesce(r.leader, m.leader)
        from jsonb_populate_record(null::member, d -> 'changes') r
        where m.id = about;
    end if;
    perform note_event(d -> 'entry');
end $$;

-- As before, but who said so may be another than the member himself.
create or replace function set_duty(d jsonb) returns text language plpgsql as $$
declare
    moment   timestamptz := (d ->> 'at')::timestamptz;
    wanted   text := d ->> 'duty';
    about    text := d ->> 'unit_id';
    now_is   text;
begin
    perform keep_reply(d, moment);
    perform 1 from unit where id = about for no key update;
    if wanted <> 'on' and exists (select 1 from assignment a where a.unit_id = about and a.ended_at is null) then
        update member set leaves = wanted where id = d ->> 'member_id' returning duty into now_is;
    else
        update member set duty = wanted, leaves = null where id = d ->> 'member_id' returning duty into now_is;
    end if;
    insert into event (type, by, via, at, unit_id, data)
    values ('duty_changed', coalesce(d ->> 'by', d ->> 'member_id'), coalesce(d ->> 'via', 'app'), moment, about,
            jsonb_build_object('wanted', wanted, 'duty', now_is)
            || case when d ? 'by' then jsonb_build_object('member', d ->> 'member_id') else '{}' end);
    if now_is <> 'on' then
        insert into due (incident_id, kind, unit_id, at)
        select distinct o.incident_id, 'unit_left', about, moment
        from offer o join unit u on u.id = o.unit_id
        where o.unit_id = about and o.state in ('open', 'lapsed')
            and (select count(*) from member m where m.unit_id = about and m.duty = 'on') < u.min_crew
        on conflict do nothing;
    end if;
    return now_is;
end $$;

create function clock_members(d jsonb) returns void language plpgsql as $$
declare
    who text;
begin
    perform keep_reply(d, (d ->> 'at')::timestamptz);
    for who in select jsonb_array_elements_text(d -> 'member_ids') loop
        perform set_duty((d - 'reply') || jsonb_build_object('member_id', who));
    end loop;
end $$;

-- False where another member's code that is still good has the same name: make another.
create function put_code(d jsonb) returns boolean language plpgsql as $$
declare
    moment timestamptz := (d #>> '{entry,at}')::timestamptz;
begin
    delete from enrolment where member_id = d ->> 'member_id' or expires_at <= moment;
    insert into enrolment (name, hash, member_id, expires_at)
    values (d ->> 'name', decode(d ->> 'hash', 'base64'), d ->> 'member_id', (d ->> 'expires_at')::timestamptz)
    on conflict (name) do nothing;
    if not found then
        return false;
    end if;
    perform note_event(d -> 'entry');
    return true;
end $$;

-- A phone comes with a code: a good one is used up, a wrong one is counted. Returns the phone, or nothing.
create function enrol(d jsonb) returns jsonb language plpgsql as $$
declare
    moment timestamptz := (d ->> 'at')::timestamptz;
    found_ enrolment%rowtype;
    phone  device%rowtype;
begin
    select * into found_ from enrolment where name = d ->> 'name' and expires_at > moment for update;
    if not found then
        return null;
    end if;
    if found_.hash <> decode(d ->> 'hash', 'base64') then
        update enrolment set tries = tries + 1 where name = found_.name;
        delete from enrolment where name = found_.name and tries >= (d ->> 'most')::integer;
        return null;
    end if;
    delete from enrolment where name = found_.name;
    insert into device (id, unit_id, member_id, token_hash, enrolled_at)
    select d ->> 'device_id', m.unit_id, m.id, decode(d ->> 'token_hash', 'base64'), moment
    from member m where m.id = found_.member_id
    on conflict (member_id) do update
    set token_hash = excluded.token_hash, revoked_at = null, enrolled_at = excluded.enrolled_at
    returning * into phone;
    perform note_event(jsonb_build_object(
        'type', 'device_enrolled', 'by', 'member:' || phone.member_id, 'via', 'app', 'at', moment,
        'unit_id', phone.unit_id, 'data', jsonb_build_object('device', phone.id, 'member', phone.member_id)));
    return jsonb_build_object('device_id', phone.id, 'unit_id', phone.unit_id, 'member_id', phone.member_id);
end $$;

create function revoke_device(d jsonb) returns void language plpgsql as $$
begin
    perform keep_reply(d, (d #>> '{entry,at}')::timestamptz);
    update device set revoked_at = (d #>> '{entry,at}')::timestamptz
    where id = d ->> 'device_id' and revoked_at is null;
    if found then
        perform note_event(d -> 'entry');
    end if;
end $$;
