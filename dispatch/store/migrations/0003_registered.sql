-- A number that grows whenever what is registered changes, so that a running service reads it anew. Columns that
-- change with every offer or message do not count.

alter table meta add column registered bigint not null default 0;

create function note_registered() returns trigger language plpgsql as $$
begin
    update meta set registered = registered + 1;
    return null;
end $$;

create trigger jurisdiction_registered after insert or update or delete on jurisdiction
    for each statement execute function note_registered();
create trigger unit_registered after insert or delete
    or update of code, name, kind, juris, lon, lat, moves, capabilities, min_crew, fixed, disabled on unit
    for each statement execute function note_registered();
create trigger member_registered after insert or delete or update of name, tel, leader on member
    for each statement execute function note_registered();
create trigger device_registered after insert or delete or update of token_hash, revoked_at on device
    for each statement execute function note_registered();
