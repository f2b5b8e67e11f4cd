-- A task whose arrival is reckoned anew has a new time on its way too: it was left as it had been, and with it the
-- moment from which the watch over its unit counts. All else is as it was.
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
            state = r.state, role = r.role, rev = r.rev, eta_s = r.eta_s, arrive_at = r.arrive_at,
            seen_at = r.seen_at,
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
