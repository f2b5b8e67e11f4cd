-- A decision is one statement: everything below happens, or nothing. Errors it raises by name:
-- KP001 somebody else decided first; KP002 a unit has another active assignment (detail: its id);
-- KP003 the command was answered meanwhile. Lock order: incident, units by id, devices by id. No lock
-- is on a key: a row that another one refers to never keeps that one waiting.

-- Put frames in the outbox of the phones they are for, each with the next seq of its stream: the on-duty phones of
-- the unit (a paused one is not rung up by an offer), and whoever was told of the same thing before.
create function post_mail(mail jsonb, about text) returns jsonb language plpgsql as $$
declare
    posted jsonb;
begin
    perform 1 from device d
    where d.unit_id in (select m ->> 'unit_id' from jsonb_array_elements(mail) m)
    order by d.id for no key update;

    with letter as (
        select m.i - 1 as i, m.v, d.id as device_id, m.v #>> '{frame,t}' as t, m.v ->> 'ref' as ref,
               row_number() over (partition by d.id order by m.i) as nth
        from jsonb_array_elements(mail) with ordinality m (v, i)
        join device d on d.unit_id = m.v ->> 'unit_id' and d.revoked_at is null
            and d.id is distinct from m.v ->> 'not_to'
        join member p on p.id = d.member_id
        where p.duty = 'on' or (p.duty = 'paused' and m.v #>> '{frame,t}' <> 'offer')
            or exists (select 1 from outbox x where x.device_id = d.id and x.ref = m.v ->> 'ref')
    ), head as (
        update device d set head = d.head + c.n
        from (select device_id, count(*) as n from letter group by 1) c
        where d.id = c.device_id
        returning d.id, d.head - c.n as before
    ), outdated as (
        update outbox x set superseded = true
        from letter l
        where x.device_id = l.device_id and x.acked_at is null and not x.superseded and x.ref = l.ref
            and (l.t like '%.end' or x.frame ->> 't' = l.t)
    ), written as (
        insert into outbox (device_id, seq, incident_id, ref, at, expires_at, frame)
        select l.device_id, h.before + l.nth, about, l.ref, (l.v ->> 'at')::timestamptz,
               (l.v ->> 'expires_at')::timestamptz, l.v -> 'frame'
        from letter l join head h on h.id = l.device_id
    )
    select jsonb_agg(jsonb_build_object('i', l.i, 'device', l.device_id, 'seq', h.before + l.nth)
                     order by l.device_id, l.nth)
    into posted
    from letter l join head h on h.id = l.device_id;
    return posted;
end $$;

create function commit_decision(d jsonb) returns jsonb language plpgsql as $$
declare
    about   text := d #>> '{incident,id}';
    seen    integer := (d ->> 'version')::integer;
    moment  timestamptz := (d ->> 'now')::timestamptz;
    news    integer := jsonb_array_length(d -> 'entries');
    n0      integer;
    taken   text;
    posted  jsonb;
begin
    if seen = 0 then
        insert into incident
        select * from jsonb_populate_record(null::incident, (d -> 'incident') || jsonb_build_object('version', 1, 'events', news))
        on conflict do nothing;
        if not found then
            raise exception using errcode = 'KP001', message = 'incident exists';
        end if;
        n0 := 0;
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

    if d ? 'reply' then
        insert into reply (scope, id, digest, status, body, at)
        values (d #>> '{reply,scope}', d #>> '{reply,id}', decode(d #>> '{reply,digest}', 'base64'),
                (d #>> '{reply,status}')::integer, d #> '{reply,body}', moment)
        on conflict do nothing;
        if not found then
            raise exception using errcode = 'KP003', message = 'answered meanwhile';
        end if;
    end if;

    if jsonb_array_length(d -> 'offers') > 0 then
        insert into offer as o
        select * from jsonb_populate_recordset(null::offer, d -> 'offers')
        on conflict (id) do update set
            state = excluded.state, rev = excluded.rev, barred = excluded.barred, eta_s = excluded.eta_s, lapse_at = excluded.lapse_at, ended_at = excluded.ended_at,
            delivered_at = coalesce(o.delivered_at, excluded.delivered_at),
            seen_at = coalesce(o.seen_at, excluded.seen_at);
        perform 1 from unit
        where id in (
            select e ->> 'unit_id' from jsonb_array_elements(d -> 'entries') e
            where e ->> 'type' in ('offered', 'offer_accepted')
        )
        order by id for no key update;
        update unit u set offers = u.offers + c.offers, accepts = u.accepts + c.accepts
        from (
            select e ->> 'unit_id' as id,
                   count(*) filter (where e ->> 'type' = 'offered') as offers,
                   count(*) filter (where e ->> 'type' = 'offer_accepted') as accepts
            from jsonb_array_elements(d -> 'entries') e
            where e ->> 'type' in ('offered', 'offer_accepted')
            group by 1
        ) c
        where u.id = c.id;
    end if;

    if jsonb_array_length(d -> 'assignments') > 0 then
        update assignment a set
            state = r.state, role = r.role, rev = r.rev, arrive_at = r.arrive_at, seen_at = r.seen_at,
            en_route_at = r.en_route_at, arrived_at = r.arrived_at, controlled_at = r.controlled_at,
            ended_at = r.ended_at, slot = r.slot, pinned = r.pinned
        from jsonb_populate_recordset(null::assignment, d -> 'assignments') r
        where a.id = r.id;
        insert into assignment
        select r.* from jsonb_populate_recordset(null::assignment, d -> 'assignments') r
        where not exists (select 1 from assignment a where a.id = r.id)
        order by r.unit_id
        on conflict (unit_id) where ended_at is null do nothing;
        select string_agg(r.unit_id, ' ') into taken
        from jsonb_populate_recordset(null::assignment, d -> 'assignments') r
        where not exists (select 1 from assignment a where a.id = r.id);
        if taken is not null then
            raise exception using errcode = 'KP002', message = 'unit taken', detail = taken;
        end if;
        -- What it means for other incidents: this unit cannot come to them any more.
        insert into due (incident_id, kind, unit_id, at)
        select distinct o.incident_id, 'unit_engaged', o.unit_id, moment
        from jsonb_populate_recordset(null::assignment, d -> 'assignments') r
        join offer o on o.unit_id = r.unit_id and o.state in ('open', 'lapsed') and o.incident_id <> about
        where r.ended_at is null
        on conflict do nothing;
        -- Who clocked out while engaged leaves now.
        update member m set duty = m.leaves, leaves = null
        from jsonb_populate_recordset(null::assignment, d -> 'assignments') r
        where m.unit_id = r.unit_id and m.leaves is not null and r.ended_at is not null;
    end if;

    insert into event (incident_id, n, type, by, via, at, unit_id, data)
    select about, n0 + e.i, e.v ->> 'type', e.v ->> 'by', e.v ->> 'via', (e.v ->> 'at')::timestamptz,
           e.v ->> 'unit_id', e.v -> 'data'
    from jsonb_array_elements(d -> 'entries') with ordinality e (v, i)
    order by e.i;

    if jsonb_array_length(d -> 'mail') > 0 then
        posted := post_mail(d -> 'mail', about);
    end if;

    if d ->> 'wake_at' is null then
        delete from due where incident_id = about and kind = 'wake';
    else
        insert into due (incident_id, kind, at) values (about, 'wake', (d ->> 'wake_at')::timestamptz)
        on conflict (incident_id, kind, unit_id) do update set at = excluded.at;
    end if;
    -- What a person decided here and means for another incident.
    insert into due (incident_id, kind, unit_id, at)
    select e ->> 'incident_id', e ->> 'kind', e ->> 'unit_id', moment
    from jsonb_array_elements(d -> 'errands') e
    on conflict do nothing;
    if d ? 'due_id' then
        delete from due where id = (d ->> 'due_id')::bigint and kind <> 'wake';
    end if;
    return coalesce(posted, '[]');
end $$;

-- Phones have their mail up to these seqs: {device: seq}. An offer's first delivery is a fact of its incident.
create function acknowledge(acks jsonb, moment timestamptz) returns void language plpgsql as $$
begin
    perform 1 from incident
    where id in (
        select x.incident_id from jsonb_each_text(acks) a
        join outbox x on x.device_id = a.key and x.acked_at is null and x.seq <= a.value::bigint
        where x.frame ->> 't' = 'offer'
    )
    order by id for no key update;
    perform 1 from device where id in (select key from jsonb_each(acks)) order by id for no key update;

    update device d set acked = least(d.head, greatest(d.acked, a.value::bigint))
    from jsonb_each_text(acks) a
    where d.id = a.key;

    with acked as (
        update outbox x set acked_at = moment
        from jsonb_each_text(acks) a
        where x.device_id = a.key and x.acked_at is null and x.seq <= a.value::bigint
        returning x.ref, x.frame ->> 't' as t
    ), told as (
        update offer o set delivered_at = moment
        where o.id in (select ref from acked where t = 'offer') and o.delivered_at is null
        returning o.id, o.incident_id, o.unit_id
    ), counted as (
        update incident i set events = i.events + c.n
        from (select incident_id, count(*) as n from told group by 1) c
        where i.id = c.incident_id
        returning i.id, i.events - c.n as n0
    )
    insert into event (incident_id, n, type, by, via, at, unit_id, data)
    select t.incident_id, c.n0 + row_number() over (partition by t.incident_id order by t.id),
           'offer_delivered', 'device', 'app', moment, t.unit_id, jsonb_build_object('offer', t.id)
    from told t join counted c on c.id = t.incident_id;
end $$;

-- A member clocks. While the unit is engaged, leaving waits for its release; the last of the crew to leave answers
-- the unit's open offers with no. Returns the duty now in force.
create function set_duty(d jsonb) returns text language plpgsql as $$
declare
    moment   timestamptz := (d ->> 'at')::timestamptz;
    wanted   text := d ->> 'duty';
    about    text := d ->> 'unit_id';
    now_is   text;
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
    perform 1 from unit where id = about for no key update;
    if wanted <> 'on' and exists (select 1 from assignment a where a.unit_id = about and a.ended_at is null) then
        update member set leaves = wanted where id = d ->> 'member_id' returning duty into now_is;
    else
        update member set duty = wanted, leaves = null where id = d ->> 'member_id' returning duty into now_is;
    end if;
    insert into event (type, by, via, at, unit_id, data)
    values ('duty_changed', d ->> 'member_id', 'app', moment, about,
            jsonb_build_object('wanted', wanted, 'duty', now_is));
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
