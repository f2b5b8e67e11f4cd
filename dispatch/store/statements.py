"""Every statement the store sends, by name. A decision is `LOAD` and `COMMIT`: two round trips."""

from typing import Final


def traced(n: int) -> str:
    """Return the end of a statement that writes to the log: under the trace id that is its $n."""
    return f"from set_config('kapok.trace', ${n}, true)"


LOAD: Final = """
select
    (select jsonb_build_object(
        'incident', to_jsonb(i),
        'offers', coalesce((select jsonb_agg(to_jsonb(o) order by o.id)
                            from offer o where o.incident_id = i.id), '[]'),
        'assignments', coalesce((select jsonb_agg(to_jsonb(a) order by a.id)
                                 from assignment a where a.incident_id = i.id), '[]'))::text
     from incident i where i.id = $1) as found,
    r.status, r.body::text as body, r.digest
from (select 1) one left join reply r on r.scope = $2 and r.id = $3
"""

COMMIT: Final = f"select commit_decision($1::jsonb, $2)::text {traced(3)}"

REMEMBER: Final = """
insert into reply (scope, id, digest, status, body, at)
values ($1, $2, $3, $4, $5::jsonb, $6) on conflict do nothing
"""

INCIDENT_OF_OFFER: Final = "select incident_id from offer where id = $1"
INCIDENT_OF_ASSIGNMENT: Final = "select incident_id from assignment where id = $1"

CLAIM_DUE: Final = """
update due set at = $2::timestamptz + interval '10 seconds'
where id in (select id from due where at <= $2 order by at limit $1 for update skip locked)
returning id, incident_id, kind, nullif(unit_id, '') as unit_id,
    case when kind <> 'wake' then trace end as trace
"""
NEXT_DUE: Final = "select min(at) from due"
DROP_DUE: Final = "delete from due where id = $1"

SET_DUTY: Final = f"select set_duty($1::jsonb) {traced(2)}"
ACKNOWLEDGE: Final = f"select acknowledge($1::jsonb, $2) {traced(3)}"

OUTBOX: Final = """
select seq, at, frame::text as frame from outbox
where device_id = $1 and seq > $2 and acked_at is null and not superseded and expires_at > $3
order by seq limit $4
"""

CHECKPOINT: Final = """
insert into position as p (unit_id, lon, lat, acc_m, at)
select * from unnest($1::text[], $2::float8[], $3::float8[], $4::float4[], $5::timestamptz[])
    as f (unit_id, lon, lat, acc_m, at)
where not exists (
    select 1 from member m
    where m.unit_id = f.unit_id and m.consent is null and m.consent_at >= f.at)
on conflict (unit_id) do update
set lon = excluded.lon, lat = excluded.lat, acc_m = excluded.acc_m, at = excluded.at
where p.at < excluded.at
"""

_UNIT_ROWS: Final = """
select u.id, u.code, u.name, u.kind, u.juris, u.lon, u.lat, u.moves, u.capabilities, u.min_crew,
       u.fixed, u.disabled, u.offers, u.accepts,
       coalesce(m.on_duty, 0) as on_duty, coalesce(m.paused, 0) as paused,
       a.unit_id is not null as engaged, coalesce(o.ringing, 0) as ringing,
       coalesce(k.asked, 0) as asked, coalesce(w.pushable, 0) as pushable,
       p.lon as p_lon, p.lat as p_lat, p.acc_m, p.at
from unit u
left join (
    select unit_id, count(*) filter (where duty = 'on') as on_duty,
           count(*) filter (where duty = 'paused') as paused
    from member where {rows} group by 1
) m on m.unit_id = u.id
left join assignment a on a.unit_id = u.id and a.ended_at is null
left join (
    select unit_id, count(*) filter (where state = 'open') as ringing
    from offer where {rows} and state in ('open', 'lapsed') group by 1
) o on o.unit_id = u.id
left join (
    select unit_id, count(*) as asked from offer
    where {rows} and sent_at > $1::timestamptz - interval '24 hours'
    group by 1
) k on k.unit_id = u.id
left join (
    select d.unit_id, count(*) as pushable from device d join member m on m.id = d.member_id
    where {phones} and d.push_to is not null and d.revoked_at is null and m.duty = 'on'
    group by 1
) w on w.unit_id = u.id
left join position p on p.unit_id = u.id
where {units}
order by u.id
"""
_CREWS: Final = """
select id, unit_id, name, leader, duty, consent from member where {rows} order by unit_id, id
"""
_IDENTITIES: Final = """
select t.hash as token_hash, t.expires_at, t.unused, d.id, d.unit_id, d.member_id, u.juris,
       d.head, d.acked, d.push_kind, d.push_to
from (
    select token_hash as hash, id as device_id, token_expires_at as expires_at, false as unused
    from device
    union all
    select hash, device_id, expires_at, not used from device_token
) t
join device d on d.id = t.device_id join unit u on u.id = d.unit_id
where d.revoked_at is null and {rows}
"""

# Who wants all and who wants some ask differently: of one question for both, PostgreSQL would read
# the whole table, and compare each row with everything that is asked for.
UNIT_ROWS: Final = _UNIT_ROWS.format(units="true", rows="true", phones="true")
UNIT_ROWS_OF: Final = _UNIT_ROWS.format(
    units="u.id = any($2)", rows="unit_id = any($2)", phones="d.unit_id = any($2)"
)
CREWS: Final = _CREWS.format(rows="true")
CREWS_OF: Final = _CREWS.format(rows="unit_id = any($1)")
IDENTITIES: Final = _IDENTITIES.format(rows="true")
IDENTITY_OF_TOKEN: Final = _IDENTITIES.format(rows="t.hash = $1")
IDENTITIES_OF_DEVICE: Final = _IDENTITIES.format(rows="d.id = $1")

ADD_TOKEN: Final = "select add_token($1, $2, $3, $4)"  # noqa: S105 - a statement
USE_TOKEN: Final = "select use_token($1, $2, $3)"  # noqa: S105 - a statement
KEYS: Final = "select id, name, role, juris, hash from api_key where revoked_at is null"

ACTIVE_CASES: Final = """
select jsonb_build_object(
    'incident', to_jsonb(i),
    'offers', coalesce((select jsonb_agg(to_jsonb(o) order by o.id)
                        from offer o where o.incident_id = i.id), '[]'),
    'assignments', coalesce((select jsonb_agg(to_jsonb(a) order by a.id)
                             from assignment a where a.incident_id = i.id), '[]'))::text as found
from incident i
where i.status in ('reported', 'open', 'dispatching', 'responding', 'on_scene', 'controlled')
order by i.id
"""

INCIDENTS: Final = """
select to_jsonb(i)::text as found from incident i
where (i.juris = $1 or (i.juris >= $1 || '.' and i.juris < $1 || '/'))
    and (cardinality($2::text[]) = 0 or i.status = any($2))
    and ($3::text is null or i.id < $3)
order by i.id desc limit $4
"""

TIMELINE: Final = """
select n, type, by, via, at, unit_id, data::text as data, trace from event
where incident_id = $1 and n > $2 order by n limit $3
"""

EVENTS: Final = """
select e.xid::text as xid, e.id, e.incident_id, e.n, e.type, e.by, e.via, e.at, e.unit_id,
       e.data::text as data, e.trace, coalesce(i.juris, u.juris, '') as juris,
       coalesce(i.source, '') as source, i.ext_id, i.ext_rev
from event e
left join incident i on i.id = e.incident_id
left join unit u on u.id = e.unit_id and e.incident_id is null
where (e.xid, e.id) > ($1::text::xid8, $2::bigint)
    and e.xid < pg_snapshot_xmin(pg_current_snapshot())
order by e.xid, e.id limit $3
"""
"""Sequences commit out of order: only what is below every running transaction is read."""

FORGET_REPLIES: Final = """
delete from reply where (scope, id) in (
    select scope, id from reply
    where at < $1::timestamptz - interval '24 hours' order by at limit $2)
"""
FORGET_MAIL: Final = """
delete from outbox where (device_id, seq) in (
    select device_id, seq from outbox
    where at < $1::timestamptz - interval '24 hours'
        and (acked_at is not null or superseded or expires_at < $1)
    order by at limit $2)
"""

EPOCH: Final = """
select s.system_identifier::text || '/' || c.timeline_id || '/' || m.nonce as epoch
from pg_control_system() s, pg_control_checkpoint() c, meta m
"""
RENEW_EPOCH: Final = """
update meta m set nonce = encode(uuid_send(gen_random_uuid()), 'hex')
from pg_control_system() s, pg_control_checkpoint() c
where left(encode(sha256(convert_to(
        s.system_identifier::text || '/' || c.timeline_id || '/' || m.nonce, 'UTF8'
    )), 'hex'), $1) = $2
    and not exists (select 1 from device d where d.id = $3 and d.head >= $4)
"""
REGISTERED: Final = "select registered from meta"

JURISDICTIONS: Final = "select path, name, polygon from jurisdiction order by path"
PUT_JURISDICTIONS: Final = """
insert into jurisdiction as j (path, name, polygon)
select * from unnest($1::text[], $2::text[], $3::bytea[])
on conflict (path) do update set name = excluded.name, polygon = excluded.polygon
where (j.name, j.polygon) is distinct from (excluded.name, excluded.polygon)
returning path
"""

UNIT_CODES: Final = "select code, id from unit"
PUT_UNITS: Final = """
insert into unit as u (id, code, name, kind, juris, lon, lat, moves, capabilities, min_crew, fixed)
select id, code, name, kind, juris, lon, lat, moves, capabilities, min_crew, fixed
from jsonb_to_recordset($1::jsonb) as r (
    id text, code text, name text, kind text, juris text, lon float8, lat float8, moves text,
    capabilities text[], min_crew int2, fixed boolean)
on conflict (code) do update set
    name = excluded.name, kind = excluded.kind, juris = excluded.juris, lon = excluded.lon,
    lat = excluded.lat, moves = excluded.moves, capabilities = excluded.capabilities,
    min_crew = excluded.min_crew, fixed = excluded.fixed
where (u.name, u.kind, u.juris, u.lon, u.lat, u.moves, u.capabilities, u.min_crew, u.fixed)
    is distinct from
    (excluded.name, excluded.kind, excluded.juris, excluded.lon, excluded.lat, excluded.moves,
     excluded.capabilities, excluded.min_crew, excluded.fixed)
returning u.id, (xmax = 0) as added
"""
MEMBERS: Final = "select id, unit_id, name, tel, leader from member"
PUT_MEMBERS: Final = """
insert into member as m (id, unit_id, name, tel, leader, duty, consent)
select id, unit_id, name, tel, leader, duty, consent
from jsonb_to_recordset($1::jsonb) as r (
    id text, unit_id text, name text, tel text, leader boolean, duty text, consent text)
on conflict (id) do update set
    name = excluded.name, tel = excluded.tel, leader = excluded.leader
where (m.name, m.tel, m.leader) is distinct from (excluded.name, excluded.tel, excluded.leader)
returning m.id
"""
PUT_DEVICES: Final = """
insert into device (id, unit_id, member_id, token_hash)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
on conflict (member_id) do update set token_hash = excluded.token_hash, revoked_at = null
returning id
"""
DEVICE_IDS: Final = "select member_id, id from device where revoked_at is null"
ANALYZE: Final = "analyze jurisdiction, unit, member, device"
PUT_KEY: Final = """
insert into api_key (id, name, role, juris, hash) values ($1, $2, $3, $4, $5)
"""
ALL_KEYS: Final = """
select id, name, role, juris, hash, created_at, revoked_at from api_key order by created_at, id
"""
REVOKE_KEY: Final = """
update api_key set revoked_at = now() where id = $1 and revoked_at is null returning id
"""
SET_ALL_DUTIES: Final = """
update member set duty = case when id = any($1::text[]) then 'on' else 'off' end, leaves = null
where duty is distinct from case when id = any($1::text[]) then 'on' else 'off' end
"""

COUNTS: Final = """
select
    (select count(*) from incident where juris <> 'canary' and opened_at >= $1) as incidents,
    (select count(*) from incident where juris <> 'canary' and opened_at >= $1 and status in
        ('reported', 'open', 'dispatching', 'responding', 'on_scene', 'controlled')) as open,
    (select count(*) from offer where unit_id <> 'canary' and sent_at >= $1) as offers,
    (select count(*) from offer
        where unit_id <> 'canary' and sent_at >= $1 and state = 'accepted') as accepted,
    (select count(*) from assignment
        where unit_id <> 'canary' and assigned_at >= $1 and arrived_at is not null) as arrived,
    (select count(*) from incident where juris <> 'canary' and opened_at >= $1
        and arrived_at <= called_at + interval '180 seconds') as within_180_s,
    (select count(*) from incident where juris <> 'canary' and opened_at >= $1
        and arrived_at <= called_at + interval '300 seconds') as within_300_s,
    (select percentile_cont(0.5) within group (order by extract(epoch from a.first - i.opened_at))
     from incident i join (
         select incident_id, min(assigned_at) as first from assignment group by 1
     ) a on a.incident_id = i.id
     where i.juris <> 'canary' and i.opened_at >= $1)::float8 as accepted_p50_s
"""
UNSERVED: Final = """
select i.id, coalesce(i.shortfall, 'no_answer') as reason from incident i
where i.juris <> 'canary'
    and i.opened_at >= $1 and i.opened_at <= (select service_time()) - interval '60 seconds'
    and i.status not in ('rejected', 'cancelled', 'merged', 'handed_over')
    and not exists (
        select 1 from assignment a
        where a.incident_id = i.id and a.assigned_at <= i.opened_at + interval '60 seconds')
order by i.id
"""
WAITING: Final = """
select count(*) from incident i
where i.juris <> 'canary'
    and i.opened_at >= $1 and i.opened_at > (select service_time()) - interval '60 seconds'
    and i.status in ('reported', 'open', 'dispatching')
    and not exists (select 1 from assignment a where a.incident_id = i.id)
"""
DOUBLE_BOOKED: Final = """
select count(*) from (
    select sum(case type when 'assigned' then 1 else -1 end)
           over (partition by unit_id order by id) as held
    from event where type in ('assigned', 'assignment_ended')
) s
where held > 1
"""
MUST_BE_SEEN: Final = """
select device_id, array_agg(seq order by seq) as seqs from outbox
where device_id <> 'canary' and at >= $1 and not superseded
    and expires_at > (select service_time())
    and at < (select service_time()) - make_interval(secs => $2)
group by device_id
"""
OPENED: Final = """
select id, opened_at from incident where juris <> 'canary' and opened_at >= $1
"""
