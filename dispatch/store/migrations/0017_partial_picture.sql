-- A picture that is partial rings once at every city, however many processes say so and whoever has taken note; it is
-- over when nobody has said so for a while, and the alarms end with it. `turn.failed` tells whether it is being told.

-- It is so till then, at least; keeps the alarms where that is news, and returns whether it is.
create function say_partial(alarms jsonb, till timestamptz) returns boolean language plpgsql as $$
declare
    known boolean;
begin
    insert into turn (work, until) values ('picture', till) on conflict do nothing;
    select failed into known from turn where work = 'picture' for update;
    update turn set until = greatest(until, till), failed = true where work = 'picture';
    if not known then
        insert into alarm select * from jsonb_populate_recordset(null::alarm, alarms);
    end if;
    return not known;
end $$;

-- Ends what was told, unless somebody has said so for later than this moment; returns whether it ended.
create function end_partial(moment timestamptz) returns boolean language plpgsql as $$
begin
    update turn set failed = false where work = 'picture' and failed and until <= moment;
    if found then
        update alarm set ended_at = moment, next_at = null where kind = 'picture_partial' and ended_at is null;
        return true;
    end if;
    return false;
end $$;
