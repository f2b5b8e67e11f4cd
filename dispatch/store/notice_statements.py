"""The statements about notices and alarms."""

from typing import Final

from dispatch.store.statements import traced

PUT_NOTICE: Final = "select put_notice($1::jsonb)"
POST_NOTICE: Final = "select post_notice($1, $2, $3)::text as batch"
READ_NOTICE: Final = "select read_notice($1, $2, $3::jsonb, $4) as good"
WITHDRAW_NOTICE: Final = """
update notice set rev = $2, withdrawn_by = $3, withdrawn_at = $4, sent_at = null, reached = '',
                  frame = $5::jsonb
where id = $1 and rev = $2 - 1 and withdrawn_at is null
returning id
"""
NOTICE: Final = """
select (to_jsonb(n) - '{frame,unit_ids,reached}'::text[] || c.counts)::text as found
from notice n, lateral (
    select jsonb_build_object('addressed', count(*), 'delivered', count(r.delivered_at),
                              'read', count(r.read_at)) as counts
    from receipt r where r.notice_id = n.id
) c
where n.id = $1
"""
NOTICES: Final = """
select (to_jsonb(n) - '{frame,unit_ids,reached}'::text[])::text as found
from notice n
where (n.juris = $1 or (n.juris >= $1 || '.' and n.juris < $1 || '/'))
    and ($2::text is null or n.id < $2)
order by n.id desc limit $3
"""
WAITING: Final = """
select device_id, max(seq) as seq from outbox
where incident_id is null and acked_at is null and not superseded and expires_at > $1
group by device_id
"""
NOTICE_MAIL: Final = """
select seq, at, frame::text as frame from outbox
where device_id = $1 and seq > $2 and incident_id is null and acked_at is null
    and not superseded and expires_at > $3
order by seq limit $4
"""
FORGET_NOTICES: Final = """
delete from notice where id in (
    select id from notice where expires_at < $1::timestamptz - interval '30 days'
    order by id limit least(1, $2::integer))
"""

RAISE_ALARM: Final = """
insert into alarm select * from jsonb_populate_record(null::alarm, $1::jsonb)
on conflict do nothing returning id
"""
SAY_PARTIAL: Final = "select say_partial($1::jsonb, $2) as news"
END_PARTIAL: Final = "select end_partial($1) as ended"
CLAIM_ALARMS: Final = """
with due as (
    select id from alarm where next_at <= $2 and ended_at is null
    order by next_at limit $1 for update skip locked
)
update alarm a set next_at = $2::timestamptz + interval '10 seconds' from due where a.id = due.id
returning to_jsonb(a)::text as found
"""
ADDRESS_ALARM: Final = f"select address_alarm($1, $2, $3::jsonb, $4::jsonb) as good {traced(5)}"
ACKNOWLEDGE_ALARM: Final = f"""
select acknowledge_alarm($1, $2, $3, $4, $5::jsonb) as good {traced(6)}
"""
ALARM: Final = "select to_jsonb(a)::text as found from alarm a where id = $1"
ALARMS: Final = """
select to_jsonb(a)::text as found from alarm a
where a.ended_at is null and (a.juris = $1 or (a.juris >= $1 || '.' and a.juris < $1 || '/'))
    and ($2::text is null or a.addressee = $2) and ($3::text is null or a.id < $3)
order by a.id desc limit $4
"""
ATTEND: Final = """
insert into presence (juris, key_id, until) values ($1, $2, $3)
on conflict (juris, key_id) do update set until = excluded.until
"""
PRESENT: Final = "select distinct juris from presence where until > $1"
FORGET_PRESENCE: Final = """
delete from presence where (juris, key_id) in (
    select juris, key_id from presence where until < $1::timestamptz - interval '1 hour' limit $2)
"""
FORGET: Final = (FORGET_NOTICES, FORGET_PRESENCE)
