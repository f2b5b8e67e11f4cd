-- Phones that sleep are woken by push and SMS.
--
-- Transaction numbers tell what a phone caused itself: a frame and the reply to that phone's command were written
-- together. A frame is weighed once; what comes of it are rows of push, one for each way.

alter table device add column push_kind text check (push_kind in ('webpush', 'hook'));
alter table device add column push_to text;
alter table device add constraint device_push check ((push_kind is null) = (push_to is null));

create function forget_push_address() returns trigger language plpgsql as $$
begin
    new.push_kind := null;
    new.push_to := null;
    return new;
end $$;
-- Whoever holds the phone from here on, it is not the one that gave the address.
create trigger device_readdressed before update of token_hash, revoked_at on device for each row
    when (new.token_hash <> old.token_hash or new.revoked_at is distinct from old.revoked_at)
    execute function forget_push_address();

alter table reply add column xid xid8;
alter table reply alter column xid set default pg_current_xact_id();
alter table outbox add column xid xid8;
alter table outbox alter column xid set default pg_current_xact_id();
alter table outbox add column weighed boolean not null default false;
create index outbox_unweighed on outbox (at) where acked_at is null and not superseded and not weighed;

create table push (
    device_id  text collate "C" not null,
    seq        bigint not null,
    channel    text not null check (channel in ('push', 'sms')),
    state      text not null default 'waiting' check (state in
        ('waiting', 'sent', 'refused', 'gone', 'failed', 'expired', 'heard', 'nowhere', 'over_budget')),
    tries      smallint not null default 0,
    written_at timestamptz not null,   -- the frame's
    next_at    timestamptz not null,   -- while waiting; a lease while it is tried
    expires_at timestamptz not null,
    tried_at   timestamptz,
    ended_at   timestamptz,
    oid        text,
    pri        smallint,
    exp_ms     double precision not null,
    note       text not null default '',
    primary key (device_id, seq, channel),
    foreign key (device_id, seq) references outbox on delete cascade
) with (fillfactor = 70);
create index push_next on push (next_at) where state = 'waiting';
create index push_sms on push (tried_at) where channel = 'sms';
