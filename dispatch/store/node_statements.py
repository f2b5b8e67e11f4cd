"""The statements about processes and what they hold; a beat is one of them, and one round trip."""

from typing import Final

from dispatch.store.statements import EPOCH

BEAT: Final = f"""
with forgotten as (
    delete from node where id in (
        select id from node
        where id <> $1 and seen_at < clock_timestamp() - interval '1 hour' for update skip locked)
), own as (
    insert into node (id, host, pid, started_at, build, seen_at, time_at)
    values ($1, $2, $3, $4, $5, clock_timestamp(), $7)
    on conflict (id) do update set seen_at = clock_timestamp(), time_at = excluded.time_at
)
select e.epoch, o.id, o.host, o.pid, o.started_at, o.build
from ({EPOCH}) e left join node o
    on o.id <> $1 and o.seen_at between clock_timestamp() - $6::interval
                                    and clock_timestamp() + $6::interval
order by o.id
"""
"""A beat from the time to come is of a clock that was set back since: it proves nothing. Beats are
compared by the database's own clock, whatever it was stepped by: each is renewed twice a second."""

LEAVE: Final = "delete from node where id = $1"

BIND: Final = """
insert into binding as b (device_id, node_id, at)
select d.id, $1, least(max(f.at), (select service_time()))
from unnest($2::text[], $3::timestamptz[]) f (device_id, at) join device d on d.id = f.device_id
group by d.id order by d.id
on conflict (device_id) do update set
    (node_id, at) = (
        select w.node_id, w.at
        from (values (b.node_id, b.at, exists (select 1 from node n where n.id = b.node_id)),
                     (excluded.node_id, excluded.at, true)) w (node_id, at, listed)
        order by w.listed desc, w.at desc, w.node_id desc limit 1)
returning device_id, node_id
"""
"""Each row is written, lost or won, so that what is returned is what stands: a snapshot would
show who held the phone before. In the order of phones, so that two processes never lock crosswise.
"""

MOVED: Final = """
select device_id, at from binding where node_id <> $1 and at >= $2 order by at, device_id
"""

HEADS: Final = """
select id, head from device where head > acked and revoked_at is null order by id
"""
"""Mail not acknowledged is above `acked`: both change under the lock of the phone's row."""

POSITIONS: Final = """
select unit_id, lon, lat, acc_m, at from position where at >= $1 order by unit_id
"""

INSTALLATION: Final = """
select system_identifier::text || '/' || current_database() from pg_control_system()
"""
