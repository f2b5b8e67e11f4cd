"""What must always be true, each as a question for the incidents and units where it is not."""

from typing import Final

_LIVE_STATUS: Final = "('open', 'dispatching', 'responding', 'on_scene')"
_OVER_STATUS: Final = "('resolved', 'closed', 'rejected', 'cancelled', 'merged', 'handed_over')"
INVARIANTS: Final = {
    "no_clock_nor_owner": f"""
        select i.id from incident i
        where i.status in {_LIVE_STATUS} and i.owner is null
            and not exists (select 1 from due d where d.incident_id = i.id)
            and not exists (
                select 1 from assignment a where a.incident_id = i.id and a.ended_at is null)
        limit $1""",
    "clock_overdue": """
        select incident_id from due
        where at < (select service_time()) - interval '2 seconds' limit $1""",
    "two_assignments": """
        select min(incident_id) from assignment where ended_at is null
        group by unit_id having count(*) > 1 limit $1""",
    "guard_index_invalid": """
        select null from pg_index
        where indexrelid = 'assignment_active'::regclass and not (indisvalid and indisunique)
        limit $1""",
    "assignment_on_final_incident": f"""
        select a.incident_id from assignment a join incident i on i.id = a.incident_id
        where a.ended_at is null and i.status in {_OVER_STATUS} limit $1""",
    "offer_on_final_incident": f"""
        select o.incident_id from offer o join incident i on i.id = o.incident_id
        where o.state in ('open', 'lapsed') and i.status in {_OVER_STATUS} limit $1""",
    "accepted_without_assignment": """
        select o.incident_id from offer o
        where o.state = 'accepted' and o.sent_at > (
                select sent_at from offer order by id desc limit 1) - interval '20 minutes'
            and not exists (select 1 from assignment a where a.offer_id = o.id)
        limit $1""",
    "assignment_without_acceptance": """
        select a.incident_id from assignment a join offer o on o.id = a.offer_id
        where a.ended_at is null and o.state <> 'accepted' limit $1""",
    "offer_to_engaged_unit": """
        select o.incident_id, o.unit_id from offer o
        join assignment a on a.unit_id = o.unit_id and a.ended_at is null
            and a.incident_id <> o.incident_id
        where o.state in ('open', 'lapsed') and not exists (
            select 1 from due d where d.incident_id = o.incident_id and d.unit_id = o.unit_id)
        limit $1""",
    "offer_to_unit_off_duty": """
        select o.incident_id, o.unit_id from offer o join unit u on u.id = o.unit_id
        where o.state in ('open', 'lapsed') and u.min_crew > (
            select count(*) from member m where m.unit_id = o.unit_id and m.duty = 'on')
            and not exists (
                select 1 from due d where d.incident_id = o.incident_id and d.unit_id = o.unit_id)
            and not exists (
                select 1 from assignment a where a.unit_id = o.unit_id and a.ended_at is null)
        limit $1""",
    "leaving_while_free": """
        select null, m.unit_id from member m
        where m.leaves is not null and not exists (
            select 1 from assignment a where a.unit_id = m.unit_id and a.ended_at is null)
        limit $1""",
    "event_gap": """
        select i.id from (select id, events from incident order by id desc limit 200) i
        where i.events <> (select count(*) from event e where e.incident_id = i.id)
            or i.events <> (select coalesce(max(n), 0) from event e where e.incident_id = i.id)
        limit $1""",
}
"""Rule → a question: incident first, then the unit where there is one; `$1` bounds the rows."""
