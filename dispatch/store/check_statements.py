"""Statements by which a process compares its memory with the store."""

from typing import Final

UNIT_STATES: Final = """
with part as materialized (
    select id, disabled from unit where $1::text is null or id > $1 order by id limit $2
), ends as (
    select min(id) as first, max(id) as last from part
), crew as (
    select m.unit_id, count(*) filter (where m.duty = 'on') as on_duty,
           count(*) filter (where m.duty = 'paused') as paused
    from member m, ends
    where m.unit_id between ends.first and ends.last and m.duty <> 'off' group by 1
), asked as (
    select unit_id, count(*) as ringing from offer where state = 'open' group by 1
)
select array_agg(s.id order by s.id) as unit_ids,
       array_agg(a.unit_id is not null order by s.id) as engaged,
       array_agg(s.disabled order by s.id) as disabled,
       array_agg(coalesce(o.ringing, 0)::int2 order by s.id) as open_offers,
       array_agg(coalesce(c.on_duty, 0)::int2 order by s.id) as on_duty,
       array_agg(coalesce(c.paused, 0)::int2 order by s.id) as paused
from part s
left join crew c on c.unit_id = s.id
left join asked o on o.unit_id = s.id
left join assignment a on a.unit_id = s.id and a.ended_at is null
"""
"""One row of columns, so that thousands of units cost the reader next to nothing."""

LIVE_VERSIONS: Final = """
select id, version from incident
where status in ('reported', 'open', 'dispatching', 'responding', 'on_scene', 'controlled')
"""

CLAIM_TURN: Final = """
insert into turn as t (work, until) values ($1, $2)
on conflict (work) do update set until = excluded.until where t.until <= $3
returning work
"""
