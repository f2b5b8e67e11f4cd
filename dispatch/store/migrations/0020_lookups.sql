-- A decision looks at what it is about, however much else waits. Its plans are made once a connection, when tables may be
-- small: a table that was joined to a document was then read whole by an index, of every phone's waiting mail and of
-- every task there ever was. Rows are looked up by arrays of keys, of which no plan can make another thing.

-- Put frames in the outbox of the phones they are for, each with the next seq of its stream: the on-duty phones of
-- the unit (a paused one is not rung up by an offer), and whoever was told of the same thing before. Of a case that
-- has just begun nobody was told before. The one of two arguments is called by nobody any more.
create function post_mail(mail jsonb, about text, begins boolean, bound integer, moment timestamptz) returns jsonb language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
    units   text[] := array(select m ->> 'unit_id' from jsonb_array_elements(mail) m);
    phones  text[];
    letters integer[];
    nths    integer[];
    crowded text[];
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
            or (not begins and (select true from outbox x where x.device_id = d.id and x.ref = m.v ->> 'ref' limit 1)))
    ) l;
    if phones is null then
        return '[]';
    end if;

    if not begins then
        update outbox x set superseded = true
        where x.device_id = any(phones) and x.acked_at is null and not x.superseded and (
            select true from unnest(phones, letters) l (device_id, i)
            where l.device_id = x.device_id and mail -> l.i ->> 'ref' = x.ref
                and (mail -> l.i #>> '{frame,t}' like '%.end' or x.frame ->> 't' = mail -> l.i #>> '{frame,t}')
            limit 1);
    end if;

    with head as (
        update device d set head = d.head + (select count(*) from unnest(phones) p where p = d.id)
        where d.id = any(phones)
        returning d.id, d.head, d.head - d.acked > bound as crowded
    ), letter as (
        select l.device_id, l.i, h.head - (select count(*) from unnest(phones) p where p = h.id) + l.nth as seq, h.crowded
        from head h join unnest(phones, letters, nths) l (device_id, i, nth) on l.device_id = h.id
    ), written as (
        insert into outbox (device_id, seq, incident_id, ref, at, expires_at, frame)
        select l.device_id, l.seq, about, mail -> l.i ->> 'ref', (mail -> l.i ->> 'at')::timestamptz,
               (mail -> l.i ->> 'expires_at')::timestamptz, mail -> l.i -> 'frame'
        from letter l
    )
    select jsonb_agg(jsonb_build_object('i', l.i, 'device', l.device_id, 'seq', l.seq) order by l.device_id, l.seq),
           array_agg(l.device_id) filter (where l.crowded)
    into posted, crowded
    from letter l;
    -- More than it was given since its last acknowledgement no phone has waiting.
    if crowded is not null then
        perform trim_outbox(crowded, bound, moment);
    end if;
    return posted;
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
    named   text[];
    known   text[];
    kept    integer;
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
        named := array(select t ->> 'id' from jsonb_array_elements(tasks) t);
        update assignment a set
            state = r.state, role = r.role, rev = r.rev, eta_s = r.eta_s, arrive_at = r.arrive_at,
            seen_at = r.seen_at,
            en_route_at = r.en_route_at, arrived_at = r.arrived_at, controlled_at = r.controlled_at,
            ended_at = r.ended_at, slot = r.slot, pinned = r.pinned, warned = r.warned
        from jsonb_populate_recordset(null::assignment, tasks) r
        where a.id = any(named) and a.id = r.id;
        get diagnostics kept = row_count;
        if kept < cardinality(named) then
            known := array(select a.id from assignment a where a.id = any(named));
            insert into assignment
            select r.* from jsonb_populate_recordset(null::assignment, tasks) r
            where r.id <> all(known)
            order by r.unit_id
            on conflict (unit_id) where ended_at is null do nothing;
            get diagnostics kept = row_count;
            if kept + cardinality(known) < cardinality(named) then
                known := array(select a.id from assignment a where a.id = any(named));
                select string_agg(t ->> 'unit_id', ' ') into taken
                from jsonb_array_elements(tasks) t
                where t ->> 'id' <> all(known);
                raise exception using errcode = 'KP002', message = 'unit taken', detail = taken;
            end if;
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
        posted := post_mail(d -> 'mail', about, seen = 0, bound, moment);
    end if;

    if d ->> 'wake_at' is null then
        delete from due where incident_id = about and kind = 'wake';
    else
        insert into due (incident_id, kind, at) values (about, 'wake', (d ->> 'wake_at')::timestamptz)
        on conflict (incident_id, kind, unit_id) do update set at = excluded.at where due.at <> excluded.at;
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

-- Note up to which seq phones have their mail; an offer's first delivery is a fact of its incident.
create or replace function acknowledge(acks jsonb, moment timestamptz) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
    phones text[] := array(select key from jsonb_each(acks) order by key);
    cases  text[] := array(
        select distinct x.incident_id from outbox x
        where x.device_id = any(phones) and x.acked_at is null and x.seq <= (acks ->> x.device_id)::bigint
            and x.frame ->> 't' = 'offer');
    heard  text[];
begin
    perform 1 from incident where id = any(cases) order by id for no key update;
    perform 1 from device where id = any(phones) order by id for no key update;

    update device set acked = least(head, greatest(acked, (acks ->> id)::bigint)) where id = any(phones);

    with acked as (
        update outbox x set acked_at = moment
        where x.device_id = any(phones) and x.acked_at is null and x.seq <= (acks ->> x.device_id)::bigint
        returning x.ref, x.frame ->> 't' as t
    )
    select array_agg(ref) into heard from acked where t = 'offer';
    if heard is null then
        return;
    end if;

    with told as (
        update offer set delivered_at = moment
        where id = any(heard) and delivered_at is null
        returning id, incident_id, unit_id
    ), counted as (
        update incident i set events = i.events + c.n
        from (select incident_id, count(*) as n from told group by 1) c
        where i.id = any(array(select incident_id from told)) and i.id = c.incident_id
        returning i.id, i.events - c.n as n0
    )
    insert into event (incident_id, n, type, by, via, at, unit_id, data)
    select t.incident_id, c.n0 + row_number() over (partition by t.incident_id order by t.id),
           'offer_delivered', 'device', 'app', moment, t.unit_id, jsonb_build_object('offer', t.id)
    from told t join counted c on c.id = t.incident_id;
end $$;
