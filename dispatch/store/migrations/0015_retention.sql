-- What is old enough is deleted, a bounded part at a time, while the service runs: closed incidents whole, with all that
-- was written about them, and lines of the log that belong to no incident.

-- The log stays append-only, but for the lines about the canary and those that the law has no more use for: half a year
-- is the least, whatever a site sets.
create or replace function event_is_canary() returns trigger language plpgsql as $$
begin
    if old.written_at >= clock_timestamp() - interval '183 days' and old.unit_id is distinct from 'canary'
        and not exists (select 1 from incident i where i.id = old.incident_id and i.juris = 'canary') then
        raise exception 'the event log is append-only';
    end if;
    return old;
end $$;

-- By it the lines that belong to no incident are found, the oldest first.
create index event_of_none on event (written_at) where incident_id is null;

-- Delete what ended before then: at most `most` incidents, and five times as many lines of none. `oldest_id` is lower
-- than every id given since. Returns how many rows went; null where a backup, or another process, has asked for quiet.
create function retire(before timestamptz, oldest_id text, most integer, quiet bigint) returns integer
language plpgsql set enable_seqscan = off as $$
declare
    old  text[];
    gone integer := 0;
    n    integer;
begin
    if not pg_try_advisory_xact_lock(quiet) then
        return null;
    end if;
    old := array(
        select i.id from incident i
        where i.id < oldest_id and coalesce(i.ended_at, i.resolved_at) < before and i.juris <> 'canary'
            and i.status in ('resolved', 'closed', 'rejected', 'cancelled', 'merged', 'handed_over')
            and not exists (select 1 from incident m where m.merged_into = i.id)
            and not exists (select 1 from event e where e.incident_id = i.id and e.written_at >= before)
        order by i.id limit most for update skip locked);
    delete from alarm where incident_id = any (old);
    delete from due where incident_id = any (old);
    delete from event where incident_id = any (old);
    get diagnostics n = row_count; gone := gone + n;
    delete from assignment where incident_id = any (old);
    get diagnostics n = row_count; gone := gone + n;
    delete from offer where incident_id = any (old);
    get diagnostics n = row_count; gone := gone + n;
    delete from incident where id = any (old);
    gone := gone + cardinality(old);
    delete from event where (xid, id) in (
        select xid, id from event where incident_id is null and written_at < before order by written_at limit 5 * most);
    get diagnostics n = row_count; gone := gone + n;
    delete from alarm where id in (
        select id from alarm where incident_id is null and ended_at < before order by id limit most);
    get diagnostics n = row_count; gone := gone + n;
    return gone;
end $$;
