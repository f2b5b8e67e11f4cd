"""Statements about units, members and phones changed one at a time; and about the log's ends."""

from typing import Final

from dispatch.store.statements import traced

REGISTER_UNIT: Final = f"select register_unit($1::jsonb) {traced(2)}"
REGISTER_MEMBER: Final = f"select register_member($1::jsonb) {traced(2)}"
CLOCK_MEMBERS: Final = f"select clock_members($1::jsonb) {traced(2)}"
PUT_CODE: Final = f"select put_code($1::jsonb) as good {traced(2)}"
ENROL: Final = f"select enrol($1::jsonb)::text as phone {traced(2)}"
REVOKE_DEVICE: Final = f"select revoke_device($1::jsonb) {traced(2)}"

MEMBERS: Final = """
select id, unit_id, name, tel, leader, duty, consent from member
where ($1::text is null or unit_id = $1) and ($2::text is null or id = $2) order by id
"""
DEVICES: Final = """
select d.id, d.unit_id, d.member_id, m.name as member, d.enrolled_at, d.revoked_at
from device d join member m on m.id = d.member_id
where ($1::text is null or d.unit_id = $1) and ($2::text is null or d.id = $2) order by d.id
"""
SINCE: Final = """
select n, type, by, via, at, unit_id, data::text as data, trace from (
    select * from event where incident_id = $1 and version > $2 order by n desc limit $3) e
order by n
"""
TAIL: Final = """
select xid::text as xid, id from event where xid < pg_snapshot_xmin(pg_current_snapshot())
order by xid desc, id desc limit 1
"""
