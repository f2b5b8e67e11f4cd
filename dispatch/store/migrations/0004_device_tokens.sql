-- Tokens of phones end, and phones fetch new ones by themselves. The old one lives until the new one is used, seven
-- days at most; enrolment anew ends them all.

alter table device add column token_expires_at timestamptz not null default now() + interval '90 days';

create table device_token (
    hash       bytea primary key check (length(hash) = 32),
    device_id  text collate "C" not null references device,
    expires_at timestamptz not null,
    used       boolean not null default false
);
create index device_token_device on device_token (device_id);

create function enrol_device() returns trigger language plpgsql as $$
begin
    delete from device_token where device_id = new.id;
    if new.token_hash <> old.token_hash then
        new.token_expires_at := now() + interval '90 days';
    end if;
    return new;
end $$;
create trigger device_enrolled before update of token_hash, revoked_at on device for each row
    when (new.token_hash <> old.token_hash or new.revoked_at is distinct from old.revoked_at)
    execute function enrol_device();

-- Give a phone one more token. Of those it never used the newest few stay: an answer may have been lost on its way, or
-- overtaken by the next. Returns when the one it used so far ends, nothing for a phone that is revoked.
create function add_token(about text, fresh bytea, fresh_ends timestamptz, old_ends timestamptz)
returns timestamptz language plpgsql as $$
declare
    till timestamptz;
begin
    update device set token_expires_at = least(token_expires_at, old_ends)
    where id = about and revoked_at is null
    returning token_expires_at into till;
    if not found then
        return null;
    end if;
    update device_token set expires_at = least(expires_at, old_ends) where device_id = about and used;
    delete from device_token where hash in (
        select hash from device_token where device_id = about and not used order by expires_at desc offset 3);
    insert into device_token (hash, device_id, expires_at) values (fresh, about, fresh_ends);
    select greatest(till, max(expires_at)) into till from device_token where device_id = about and used;
    return till;
end $$;

-- A phone came with a new token: from here on all earlier ones open nothing.
create function use_token(about text, fresh bytea, moment timestamptz) returns void language plpgsql as $$
begin
    perform 1 from device where id = about for update;
    update device_token set used = true where hash = fresh and device_id = about and not used;
    if found then
        update device set token_expires_at = least(token_expires_at, moment) where id = about;
        delete from device_token where device_id = about and hash <> fresh;
    end if;
end $$;
