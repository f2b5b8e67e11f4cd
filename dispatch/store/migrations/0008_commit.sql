-- A decision in fewer and cheaper steps; what it writes is as before. A decision is about few rows of large tables, and
-- the planner cannot know from a document how few: rows are looked up by arrays, so that it guesses ten and not a
-- hundred, and the plans are made once a connection, by index only, however small a table was at that moment.
-- Columns of an incident, offer or assignment that a decision may change later stand in `commit_decision` by name.

-- An entry of a decision belongs to the version of the incident that it made; a fact beside it (a delivery, an alarm
-- taken note of) to none.
alter table event add column version integer;

-- Rows that change in place, without a word to their indexes.
alter table unit set (fillfactor = 80);
alter table member set (fillfactor = 80);

-- Keep the answer to a command, where there is a command; raises KP003 where it has one.
create or replace function keep_reply(d jsonb, moment timestamptz) returns void language plpgsql as $$
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

create or replace function put_notice(n jsonb) returns void language plpgsql as $$
begin
    perform keep_reply(n, (n ->> 'at')::timestamptz);
    insert into notice select * from jsonb_populate_record(null::notice, n || '{"reached": ""}');
end $$;

drop function read_notice(text, text, jsonb, timestamptz);
-- A phone's member has read a notice that was addressed to it; false where it was not.
create function read_notice(about text, phone text, d jsonb, moment timestamptz) returns boolean language plpgsql as $$
begin
    perform 1 from receipt where notice_id = about and device_id = phone for update;
    if not found then
        return false;
    end if;
    perform keep_reply(d, moment);
    update receipt set read_at = coalesce(read_at, moment), delivered_at = coalesce(delivered_at, moment)
    where notice_id = about and device_id = phone;
    return true;
end $$;
drop function keep_answer(jsonb, timestamptz);

-- Put frames in the outbox of the phones they are for, each with the next seq of its stream: the on-duty phones of
-- the unit (a paused one is not rung up by an offer), and whoever was told of the same thing before.
create or replace function post_mail(mail jsonb, about text) returns jsonb language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
    units   text[] := array(select m ->> 'unit_id' from jsonb_array_elements(mail) m);
    phones  text[];
    letters integer[];
    nths    integer[];
    posted  jsonb;
begin
    perform 1 from device where unit_id = any(units) order by id for no key update;

    select array_agg(l.device_id order by l.device_id, l.i), array_agg(l.i order by l.device_id, l.i),
           array_agg(l.nth order by l.device_id, l.i)
    into phones, letters, nths
    from (
        select d.id as device_id, m.i - 1 as i, row_number() over (partition by d.id order by m.i) as nth
        from device d
        join member p on p.id = d.member_id
        join jsonb_array_elements(mail) with ordinality m (v, i)
            on m.v ->> 'unit_id' = d.unit_id and d.id is distinct from m.v ->> 'not_to'
        where d.unit_id = any(units) and d.revoked_at is null and (
            p.duty = 'on' or (p.duty = 'paused' and m.v #>> '{frame,t}' <> 'offer')
            or (select true from outbox x where x.device_id = d.id and x.ref = m.v ->> 'ref' limit 1))
    ) l;
    if phones is null then
        return '[]';
    end if;

    update outbox x set superseded = true
    from unnest(phones, letters) l (device_id, i)
    where x.device_id = l.device_id and x.acked_at is null and not x.superseded and x.ref = mail -> l.i ->> 'ref'
        and (mail -> l.i #>> '{frame,t}' like '%.end' or x.frame ->> 't' = mail -> l.i #>> '{frame,t}');

    with head as (
        update device d set head = d.head + c.n
        from (select device_id, count(*) as n from unnest(phones) device_id group by 1) c
        where d.id = c.device_id
        returning d.id, d.head - c.n as before
    ), written as (
        insert into outbox (device_id, seq, incident_id, ref, at, expires_at, frame)
        select l.device_id, h.before + l.nth, about, mail -> l.i ->> 'ref', (mail -> l.i ->> 'at')::timestamptz,
               (mail -> l.i ->> 'expires_at')::timestamptz, mail -> l.i -> 'frame'
        from unnest(phones, letters, nths) l (device_id, i, nth) join head h on h.id = l.device_id
    )
    select jsonb_agg(jsonb_build_object('i', l.i, 'device', l.device_id, 'seq', h.before + l.nth)
                     order by l.device_id, l.nth)
    into posted
    from unnest(phones, letters, nths) l (device_id, i, nth) join head h on h.id = l.device_id;
    return posted;
end $$;

-- Hold the outbox of phones to its bound: the oldest notices go, info before warn before urgent; nothing else does.
create or replace function trim_outbox(phones text[], bound integer, moment timestamptz) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
    crowded text[] := array(
        select device_id from outbox
        where device_id = any(phones) and acked_at is null and not superseded and expires_at > moment
        group by device_id having count(*) > bound);
begin
    if cardinality(crowded) = 0 then
        return;
    end if;
    with waiting as (
        select device_id, seq, incident_id, frame, count(*) over (partition by device_id) - bound as over
        from outbox
        where device_id = any(crowded) and acked_at is null and not superseded and expires_at > moment
    ), ranked as (
        select device_id, seq, over, row_number() over (
            partition by device_id
            order by array_position(array['info', 'warn', 'urgent'], frame ->> 'lvl'), seq) as place
        from waiting
        where incident_id is null
    )
    update outbox x set superseded = true from ranked r
    where x.device_id = r.device_id and x.seq = r.seq and r.place <= r.over;
end $$;

-- A decision is one statement: everything below happens, or nothing.
create or replace function commit_decision(d jsonb, bound integer) returns jsonb language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
    about   text := d #>> '{incident,id}';
    seen    integer := (d ->> 'version')::integer;
    moment  timestamptz := (d ->> 'now')::timestamptz;
    entries jsonb := d -> 'entries';
    tasks   jsonb := d -> 'assignments';
    news    integer := jsonb_array_length(entries);
    n0      integer := 0;
    asked   text[];
    taken   text;
    posted  jsonb := '[]';
begin
    if seen = 0 then
        insert into incident
        select * from jsonb_populate_record(null::incident, (d -> 'incident') || jsonb_build_object('version', 1, 'events', news))
        on conflict do nothing;
        if not found then
            raise exception using errcode = 'KP001', message = 'incident exists';
        end if;
    else
        update incident i set
            kind = r.kind, priority = r.priority, lon = r.lon, lat = r.lat, given_lon = r.given_lon,
            given_lat = r.given_lat, given_datum = r.given_datum, juris = r.juris, title = r.title,
            status = r.status, called_at = r.called_at, address = r.address, note = r.note,
            ext_rev = r.ext_rev, level = r.level, mode = r.mode, needs = r.needs, ring_s = r.ring_s,
            step = r.step, shortfall = r.shortfall, search_at = r.search_at, en_route_at = r.en_route_at,
            arrived_at = r.arrived_at, controlled_at = r.controlled_at, resolved_at = r.resolved_at,
            ended_at = r.ended_at, result = r.result, owner = r.owner, merged_into = r.merged_into,
            reopened_at = r.reopened_at, version = i.version + 1, events = i.events + news
        from jsonb_populate_record(null::incident, d -> 'incident') r
        where i.id = about and i.version = seen
        returning i.events - news into n0;
        if not found then
            raise exception using errcode = 'KP001', message = 'decided meanwhile';
        end if;
    end if;

    perform keep_reply(d, moment);

    if jsonb_array_length(d -> 'offers') > 0 then
        insert into offer as o
        select * from jsonb_populate_recordset(null::offer, d -> 'offers')
        on conflict (id) do update set
            state = excluded.state, rev = excluded.rev, barred = excluded.barred, eta_s = excluded.eta_s,
            lapse_at = excluded.lapse_at, ended_at = excluded.ended_at,
            delivered_at = coalesce(o.delivered_at, excluded.delivered_at),
            seen_at = coalesce(o.seen_at, excluded.seen_at);
        asked := array(select e ->> 'unit_id' from jsonb_array_elements(entries) e
                       where e ->> 'type' in ('offered', 'offer_accepted'));
        if cardinality(asked) > 0 then
            perform 1 from unit where id = any(asked) order by id for no key update;
            update unit u set offers = u.offers + c.offers, accepts = u.accepts + c.accepts
            from (
                select e ->> 'unit_id' as id,
                       count(*) filter (where e ->> 'type' = 'offered') as offers,
                       count(*) filter (where e ->> 'type' = 'offer_accepted') as accepts
                from jsonb_array_elements(entries) e
                where e ->> 'type' in ('offered', 'offer_accepted')
                group by 1
            ) c
            where u.id = c.id;
        end if;
    end if;

    if jsonb_array_length(tasks) > 0 then
        update assignment a set
            state = r.state, role = r.role, rev = r.rev, arrive_at = r.arrive_at, seen_at = r.seen_at,
            en_route_at = r.en_route_at, arrived_at = r.arrived_at, controlled_at = r.controlled_at,
            ended_at = r.ended_at, slot = r.slot, pinned = r.pinned, warned = r.warned
        from jsonb_populate_recordset(null::assignment, tasks) r
        where a.id = r.id;
        insert into assignment
        select r.* from jsonb_populate_recordset(null::assignment, tasks) r
        where not exists (select 1 from assignment a where a.id = r.id)
        order by r.unit_id
        on conflict (unit_id) where ended_at is null do nothing;
        select string_agg(t ->> 'unit_id', ' ') into taken
        from jsonb_array_elements(tasks) t
        where not exists (select 1 from assignment a where a.id = t ->> 'id');
        if taken is not null then
            raise exception using errcode = 'KP002', message = 'unit taken', detail = taken;
        end if;
        -- What it means for other incidents: this unit cannot come to them any more.
        insert into due (incident_id, kind, unit_id, at)
        select distinct o.incident_id, 'unit_engaged', o.unit_id, moment
        from jsonb_array_elements(tasks) t
        join offer o on o.unit_id = t ->> 'unit_id' and o.state in ('open', 'lapsed') and o.incident_id <> about
        where t ->> 'ended_at' is null
        on conflict do nothing;
        -- Who clocked out while engaged leaves now.
        update member m set duty = m.leaves, leaves = null
        from jsonb_array_elements(tasks) t
        where m.unit_id = t ->> 'unit_id' and m.leaves is not null and t ->> 'ended_at' is not null;
    end if;

    insert into event (incident_id, n, version, type, by, via, at, unit_id, data)
    select about, n0 + e.i, seen + 1, e.v ->> 'type', e.v ->> 'by', e.v ->> 'via', (e.v ->> 'at')::timestamptz,
           e.v ->> 'unit_id', e.v -> 'data'
    from jsonb_array_elements(entries) with ordinality e (v, i)
    order by e.i;

    if jsonb_array_length(d -> 'mail') > 0 then
        posted := post_mail(d -> 'mail', about);
    end if;
    if posted <> '[]' then
        perform trim_outbox(array(select p ->> 'device' from jsonb_array_elements(posted) p), bound, moment);
    end if;

    if d ->> 'wake_at' is null then
        delete from due where incident_id = about and kind = 'wake';
    else
        insert into due (incident_id, kind, at) values (about, 'wake', (d ->> 'wake_at')::timestamptz)
        on conflict (incident_id, kind, unit_id) do update set at = excluded.at;
    end if;
    -- What a person decided here and means for another incident.
    if jsonb_array_length(d -> 'errands') > 0 then
        insert into due (incident_id, kind, unit_id, at)
        select e ->> 'incident_id', e ->> 'kind', e ->> 'unit_id', moment
        from jsonb_array_elements(d -> 'errands') e
        on conflict do nothing;
    end if;
    if d ? 'due_id' then
        delete from due where id = (d ->> 'due_id')::bigint and kind <> 'wake';
    end if;

    if jsonb_array_length(d -> 'alarms') > 0 then
        insert into alarm select * from jsonb_populate_recordset(null::alarm, d -> 'alarms');
    end if;
    if d #>> '{incident,status}' in ('resolved', 'closed', 'rejected', 'cancelled', 'merged', 'handed_over') then
        update alarm set ended_at = moment, next_at = null where incident_id = about and ended_at is null;
    end if;
    return posted;
end $$;
drop function write_decision(jsonb);
