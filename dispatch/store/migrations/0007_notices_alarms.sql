-- Notices to many phones, alarms to desks, and what was noticed of units that were sent.

alter table assignment add column warned text[] not null default '{}';
alter table outbox alter column incident_id drop not null;   -- a notice is about none

-- Alarms. Open until acknowledged, or until the incident is over; `next_at` is when the next desk is asked.
create table alarm (
    id              text collate "C" primary key,
    kind            text not null,
    reason          text not null,
    juris           text collate "C" not null,
    raised_at       timestamptz not null,
    incident_id     text collate "C" references incident,
    unit_id         text collate "C",
    drill           boolean not null,
    addressee       text collate "C",
    level           text,
    next_at         timestamptz,
    acknowledged_by text,
    acknowledged_at timestamptz,
    note            text not null,
    ended_at        timestamptz
) with (fillfactor = 80);
create index alarm_next on alarm (next_at) where ended_at is null and next_at is not null;
create index alarm_open on alarm (id) where ended_at is null;
create index alarm_of on alarm (incident_id) where ended_at is null;
-- What fails again and again rings once, until somebody has taken note.
create unique index alarm_once on alarm (coalesce(incident_id, ''), juris, kind)
    where ended_at is null and kind in ('clock_failed', 'rows_lost');

-- Somebody is at the desk of a jurisdiction until then.
create table presence (
    juris  text collate "C" not null,
    key_id text collate "C" not null references api_key,
    until  timestamptz not null,
    primary key (juris, key_id)
) with (fillfactor = 70);

-- A line of an incident's timeline that no decision wrote. The caller holds no later lock.
create function add_entry(about text, e jsonb) returns void language plpgsql as $$
declare
    line integer;
begin
    update incident set events = events + 1 where id = about returning events into line;
    if found then
        insert into event (incident_id, n, type, by, via, at, unit_id, data)
        values (about, line, e ->> 'type', e ->> 'by', e ->> 'via', (e ->> 'at')::timestamptz, e ->> 'unit_id', e -> 'data');
    end if;
end $$;

-- Ask a desk, unless somebody has taken note, or another process asked one, meanwhile.
create function address_alarm(about text, seen text, a jsonb, e jsonb) returns boolean language plpgsql as $$
declare
    place text := (select incident_id from alarm where id = about);
begin
    perform 1 from incident where id = place for no key update;
    update alarm set addressee = a ->> 'addressee', level = a ->> 'level', next_at = (a ->> 'next_at')::timestamptz
    where id = about and ended_at is null and addressee is not distinct from seen;
    if not found then
        return false;
    end if;
    perform add_entry(place, e);
    return true;
end $$;

-- Take note of an alarm, once; who comes second changes nothing.
create function acknowledge_alarm(about text, who text, words text, moment timestamptz, e jsonb) returns boolean
language plpgsql as $$
declare
    place text := (select incident_id from alarm where id = about);
begin
    perform 1 from incident where id = place for no key update;
    update alarm set acknowledged_by = who, acknowledged_at = moment, note = words, ended_at = moment, next_at = null
    where id = about and ended_at is null;
    if not found then
        return false;
    end if;
    perform add_entry(place, e);
    return true;
end $$;

-- Notices. A job writes the rows of its phones in batches, in the order of their ids; `reached` is how far it has come.
create table notice (
    id           text collate "C" primary key,
    level        text not null check (level in ('info', 'warn', 'urgent')),
    text         text not null,
    juris        text collate "C" not null,
    by           text not null,
    at           timestamptz not null,
    expires_at   timestamptz not null,
    need_read    boolean not null,
    drill        boolean not null,
    polygon      jsonb,
    rev          integer not null,
    withdrawn_by text,
    withdrawn_at timestamptz,
    sent_at      timestamptz,
    frame        jsonb not null,
    unit_ids     text[],   -- who stood in the polygon; null: all of the jurisdiction
    reached      text collate "C" not null default ''
);
create index notice_waiting on notice (id) where sent_at is null;

-- One phone that was addressed. Kept with its notice, longer than the outbox keeps the frame.
create table receipt (
    notice_id    text collate "C" not null references notice on delete cascade,
    device_id    text collate "C" not null references device,
    delivered_at timestamptz,
    read_at      timestamptz,
    primary key (notice_id, device_id)
) with (fillfactor = 70);

create function note_delivered() returns trigger language plpgsql as $$
begin
    update receipt set delivered_at = new.acked_at
    where notice_id = new.ref and device_id = new.device_id and delivered_at is null;
    return null;
end $$;
create trigger notice_delivered after update of acked_at on outbox for each row
    when (new.incident_id is null and old.acked_at is null and new.acked_at is not null)
    execute function note_delivered();

-- Hold the outbox of phones to its bound: the oldest notices go, info before warn before urgent; nothing else does.
create function trim_outbox(phones text[], bound integer, moment timestamptz) returns void language sql as $$
    with crowded as (
        select device_id, count(*) - bound as over from outbox
        where device_id = any(phones) and acked_at is null and not superseded and expires_at > moment
        group by device_id having count(*) > bound
    ), ranked as (
        select x.device_id, x.seq, c.over,
               row_number() over (
                   partition by x.device_id
                   order by array_position(array['info', 'warn', 'urgent'], x.frame ->> 'lvl'), x.seq) as place
        from crowded c join outbox x on x.device_id = c.device_id
        where x.acked_at is null and not x.superseded and x.expires_at > moment and x.incident_id is null
    )
    update outbox x set superseded = true from ranked r
    where x.device_id = r.device_id and x.seq = r.seq and r.place <= r.over
$$;

-- Write one batch of one notice, urgent ones first; null when nothing waits. In one transaction with how far it has
-- come, so that whoever goes on after a crash writes no phone's row twice, and leaves out none.
create function post_notice(most integer, bound integer, moment timestamptz) returns jsonb language plpgsql as $$
declare
    job    notice;
    phones text[] := '{}';
    posted jsonb;
begin
    select * into job from notice where sent_at is null
    order by array_position(array['urgent', 'warn', 'info'], level), id
    limit 1 for update skip locked;
    if not found then
        return null;
    end if;
    if job.withdrawn_at is not null then
        phones := array(
            select r.device_id from receipt r join device d on d.id = r.device_id and d.revoked_at is null
            where r.notice_id = job.id and r.device_id > job.reached order by r.device_id limit most);
    elsif job.expires_at > moment then
        phones := array(
            select d.id from device d join unit u on u.id = d.unit_id
            where d.id > job.reached and d.revoked_at is null and not u.disabled
                and (u.juris = job.juris or (u.juris >= job.juris || '.' and u.juris < job.juris || '/'))
                and (job.unit_ids is null or u.id in (select unnest(job.unit_ids)))
            order by d.id limit most);
    end if;
    perform 1 from device where id = any(phones) order by id for no key update;
    update outbox set superseded = true
    where device_id = any(phones) and ref = job.id and acked_at is null and not superseded and job.rev > 1;
    with grown as (
        update device set head = head + 1 where id = any(phones) returning id, unit_id, head
    ), written as (
        insert into outbox (device_id, seq, incident_id, ref, at, expires_at, frame)
        select id, head, null, job.id, moment, least(job.expires_at, job.at + interval '24 hours'), job.frame from grown
    ), noted as (
        insert into receipt (notice_id, device_id) select job.id, id from grown on conflict do nothing
    )
    select jsonb_agg(jsonb_build_object('device', id, 'unit', unit_id, 'seq', head) order by id) into posted from grown;
    perform trim_outbox(phones, bound, moment);
    update notice set reached = coalesce(phones[cardinality(phones)], reached),
                      sent_at = case when cardinality(phones) < most then moment end
    where id = job.id;
    return jsonb_build_object('id', job.id, 'frame', job.frame, 'posted', coalesce(posted, '[]'),
                              'expires_at', least(job.expires_at, job.at + interval '24 hours'));
end $$;

-- Keep the answer to a command; raises KP003 where it has one.
create function keep_answer(r jsonb, moment timestamptz) returns void language plpgsql as $$
begin
    insert into reply (scope, id, digest, status, body, at)
    values (r ->> 'scope', r ->> 'id', decode(r ->> 'digest', 'base64'), (r ->> 'status')::integer, r -> 'body', moment)
    on conflict do nothing;
    if not found then
        raise exception using errcode = 'KP003', message = 'answered meanwhile';
    end if;
end $$;

create function put_notice(n jsonb) returns void language plpgsql as $$
begin
    perform keep_answer(n -> 'reply', (n ->> 'at')::timestamptz);
    insert into notice select * from jsonb_populate_record(null::notice, n || '{"reached": ""}');
end $$;

-- A phone's member has read a notice that was addressed to it; false where it was not.
create function read_notice(about text, phone text, r jsonb, moment timestamptz) returns boolean language plpgsql as $$
begin
    perform 1 from receipt where notice_id = about and device_id = phone for update;
    if not found then
        return false;
    end if;
    perform keep_answer(r, moment);
    update receipt set read_at = coalesce(read_at, moment), delivered_at = coalesce(delivered_at, moment)
    where notice_id = about and device_id = phone;
    return true;
end $$;

-- A decision with what follows from it for desks: its alarms, what was noticed of units, the bound of the outbox.
alter function commit_decision(jsonb) rename to write_decision;
create function commit_decision(d jsonb, bound integer) returns jsonb language plpgsql as $$
declare
    about  text := d #>> '{incident,id}';
    moment timestamptz := (d ->> 'now')::timestamptz;
    posted jsonb := write_decision(d);
begin
    if jsonb_array_length(d -> 'assignments') > 0 then
        update assignment a set warned = r.warned
        from jsonb_populate_recordset(null::assignment, d -> 'assignments') r
        where a.id = r.id and a.warned <> r.warned;
    end if;
    if jsonb_array_length(d -> 'alarms') > 0 then
        insert into alarm select * from jsonb_populate_recordset(null::alarm, d -> 'alarms');
    end if;
    if d #>> '{incident,status}' in ('resolved', 'closed', 'rejected', 'cancelled', 'merged', 'handed_over') then
        update alarm set ended_at = moment, next_at = null where incident_id = about and ended_at is null;
    end if;
    if posted <> '[]' then
        perform trim_outbox(array(select p ->> 'device' from jsonb_array_elements(posted) p), bound, moment);
    end if;
    return posted;
end $$;
