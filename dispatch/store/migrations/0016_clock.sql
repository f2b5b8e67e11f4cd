-- The service goes by the database's clock. Where that is stepped, the service's time goes on as it went: the first process to notice
-- writes here by how much it is ahead since when, the next writer's version is one more, and what is left of it grows less by a
-- twentieth of the time that passes. So every process, and every statement, has the same time, which neither jumps nor goes back.

create table clock (
    one        boolean primary key default true check (one),
    version    bigint not null default 0,
    offset_s   double precision not null default 0,
    since      timestamptz not null default 'epoch',   -- by the database's clock
    reached_at timestamptz not null default 'epoch'    -- the service's time has come to this; written every ten seconds
);
insert into clock default values;

-- The time of each process as it says itself with its beat; a build that does not say it is not counted.
alter table node add column time_at timestamptz;

-- The service's time; dispatch/core/service_time.py has the same for processes.
create function service_time() returns timestamptz language sql volatile as $$
    select t.at + make_interval(secs => sign(c.offset_s)
        * greatest(0, abs(c.offset_s) - 0.05 * greatest(0, extract(epoch from t.at - c.since)::double precision)))
    from clock c, (select clock_timestamp() as at) t
$$;
