-- A member's consent to be located: which version of the policy was agreed to, nothing where none was, or no more.
-- `paper`: a signature the registrar holds. Whoever was registered before there was a record of it has signed there.

alter table member add column consent text default 'paper' check (length(consent) between 1 and 64);
alter table member add column consent_at timestamptz;
create index member_refusing on member (unit_id) where consent is null;

-- Taking it back has to reach every process; giving it is told where it is given.
create function note_refused() returns trigger language plpgsql as $$
begin
    update meta set registered = registered + 1;
    return null;
end $$;
create trigger member_refused after update of consent on member for each row
    when (old.consent is not null and new.consent is null)
    execute function note_refused();

-- As before, and consent with it. Where it is taken back the unit's last place goes: nobody can tell any more whose it
-- was. The lock waits for places being written, and those that come later are held against `consent_at`.
create or replace function register_member(d jsonb) returns void language plpgsql as $$
declare
    about  text := d ->> 'member_id';
    news   jsonb := d -> 'changes';
    moment timestamptz := (d #>> '{entry,at}')::timestamptz;
begin
    perform keep_reply(d, moment);
    if (d ->> 'new')::boolean then
        insert into member (id, unit_id, name, tel, leader)
        select about, d #>> '{entry,unit_id}', name, tel, leader
        from jsonb_populate_record(null::member, news);
    elsif news ?| array['name', 'tel', 'leader'] then
        update member m set
            name = coalesce(r.name, m.name), tel = coalesce(r.tel, m.tel), leader = coalesce(r.leader, m.leader)
        from jsonb_populate_record(null::member, news) r
        where m.id = about;
    end if;
    if news ? 'consent' then
        update member set consent = news ->> 'consent', consent_at = moment where id = about;
        if news ->> 'consent' is null and not (d ->> 'new')::boolean then
            lock table position in share row exclusive mode;
            delete from position where unit_id = d #>> '{entry,unit_id}';
        end if;
    end if;
    perform note_event(d -> 'entry');
end $$;
