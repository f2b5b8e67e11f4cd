"""The statements about phones that sleep: where to wake them, what for, and how it went."""

from typing import Final

PUT_PUSH_ADDRESSES: Final = """
update device d set push_kind = a.kind, push_to = a.to
from unnest($1::text[], $2::text[], $3::text[]) as a (id, kind, "to")
where d.id = a.id and d.revoked_at is null
    and (d.push_kind, d.push_to) is distinct from (a.kind, a.to)
returning d.unit_id
"""
DROP_PUSH_ADDRESS: Final = """
update device set push_kind = null, push_to = null
where id = $1 and push_kind = $2 and push_to = $3
returning unit_id
"""

UNHEARD: Final = """
select o.device_id, o.seq, o.at, o.expires_at, o.frame::text as frame, d.push_kind, d.push_to,
       m.tel <> '' as tel,
       exists (
           select 1 from outbox x
           where x.device_id = o.device_id and x.ref = o.ref and x.seq < o.seq
               and (x.acked_at is not null or exists (
                   select 1 from push p
                   where p.device_id = x.device_id and p.seq = x.seq and p.tries > 0))
       ) as told
from outbox o join device d on d.id = o.device_id join member m on m.id = d.member_id
where o.acked_at is null and not o.superseded and not o.weighed and o.expires_at > $4
    and (o.at <= $2 or o.device_id = any($1::text[]))
    and (o.at <= $3 or (
        select true from reply r
        where r.scope = ('device:' || o.device_id) collate "default" and r.xid = o.xid limit 1
    ) is null)
order by o.at, o.device_id, o.seq limit $5
"""
"""A reply is looked up for each frame by the index of its scope, whose collation is the default; a
set of all replies, which the planner likes better, takes 100 ms."""

PLAN_PUSHES: Final = """
with weighed as (
    update outbox o set weighed = true
    from unnest($1::text[], $2::bigint[]) as w (device_id, seq)
    where o.device_id = w.device_id and o.seq = w.seq
)
insert into push (device_id, seq, channel, written_at, next_at, expires_at, oid, pri, exp_ms)
select device_id, seq, channel, written_at, next_at, expires_at, oid, pri, exp_ms
from jsonb_to_recordset($3::jsonb) as p (
    device_id text, seq bigint, channel text, written_at timestamptz, next_at timestamptz,
    expires_at timestamptz, oid text, pri smallint, exp_ms float8)
on conflict do nothing
"""

CLAIM_PUSHES: Final = """
with come as (
    select p.device_id, p.seq, p.channel, p.pri, p.next_at, p.expires_at,
           x.acked_at is not null or x.superseded as heard,
           case p.channel when 'sms' then 'tel' else d.push_kind end as kind,
           case p.channel when 'sms' then nullif(m.tel, '') else d.push_to end as address,
           d.revoked_at is not null as revoked
    from push p
    join outbox x on x.device_id = p.device_id and x.seq = p.seq
    join device d on d.id = p.device_id join member m on m.id = d.member_id
    where p.state = 'waiting' and p.next_at <= $2
    order by p.pri nulls last, p.next_at limit $1
    for update of p skip locked
), judged as (
    select *, case when heard then 'heard' when expires_at <= $2 then 'expired'
                   when revoked or address is null then 'nowhere' else 'waiting' end as state
    from come
), counted as (
    select *, row_number() over (
        partition by channel, state order by pri nulls last, next_at) as nth
    from judged
), budget as (
    select $4::bigint - coalesce(sum(tries), 0) as rest
    from push where channel = 'sms' and tried_at > $2::timestamptz - interval '1 hour'
), said as (
    select c.device_id, c.seq, c.channel, c.kind, c.address,
           case when c.state = 'waiting' and c.channel = 'sms' and c.nth > b.rest
                then 'over_budget' else c.state end as state
    from counted c, budget b
)
update push p set
    state = s.state,
    tries = p.tries + case when s.state = 'waiting' then 1 else 0 end,
    tried_at = case when s.state = 'waiting' then $2 else p.tried_at end,
    ended_at = case when s.state = 'waiting' then null else $2::timestamptz end,
    next_at = $2::timestamptz + make_interval(secs => $3)
from said s
where p.device_id = s.device_id and p.seq = s.seq and p.channel = s.channel
returning p.device_id, p.seq, p.channel, p.state, p.tries, p.written_at, p.next_at, p.expires_at,
          p.oid, p.pri, p.exp_ms, s.kind, s.address
"""
"""What is heard, over, without an address or over the hour's budget is settled here."""

SETTLE_PUSH: Final = """
update push set state = $4, next_at = coalesce($5, next_at), note = $6,
    ended_at = case when $4 = 'waiting' then null else $7::timestamptz end
where device_id = $1 and seq = $2 and channel = $3 and (state = 'waiting' or $4 = 'sent')
"""
