-- The tables of record. Rules kept here, because only the database can keep them for all processes:
-- a unit has one active assignment, an event number is given once, a command is answered once.

create table meta (
    one   boolean primary key default true check (one),
    nonce text not null default encode(uuid_send(gen_random_uuid()), 'hex')
);
insert into meta default values;

create table jurisdiction (
    path    text collate "C" primary key check (path ~ '^[a-z0-9]{1,16}(\.[a-z0-9]{1,16}){0,4}$'),
    name    text not null,
    polygon bytea not null   -- WKB, WGS-84
);

create table unit (
    id           text collate "C" primary key,
    code         text not null unique,
    name         text not null,
    kind         text not null,
    juris        text collate "C" not null,
    lon          double precision not null,
    lat          double precision not null,
    moves        text not null,
    capabilities text[] not null default '{}',
    min_crew     smallint not null default 1 check (min_crew > 0),
    fixed        boolean not null default true,
    disabled     boolean not null default false,
    offers       integer not null default 0,
    accepts      integer not null default 0
);
create index unit_juris on unit (juris);

create table member (
    id      text collate "C" primary key,
    unit_id text collate "C" not null references unit,
    name    text not null,
    tel     text not null default '',
    leader  boolean not null default false,
    duty    text not null default 'off' check (duty in ('off', 'on', 'paused')),
    leaves  text check (leaves in ('off', 'paused'))   -- clocked while engaged: takes effect on release
);
create index member_unit on member (unit_id);

create table device (
    id         text collate "C" primary key,
    unit_id    text collate "C" not null references unit,
    member_id  text collate "C" not null unique references member,
    token_hash bytea not null unique check (length(token_hash) = 32),
    head       bigint not null default 0,
    acked      bigint not null default 0 check (acked <= head),
    revoked_at timestamptz
) with (fillfactor = 80);
create index device_unit on device (unit_id);

create table api_key (
    id         text collate "C" primary key,
    name       text not null,
    role       text not null,
    juris      text collate "C" not null,
    hash       bytea not null unique check (length(hash) = 32),
    created_at timestamptz not null default now(),
    revoked_at timestamptz
);

create table position (
    unit_id text collate "C" primary key references unit,
    lon     double precision not null,
    lat     double precision not null,
    acc_m   real not null,
    at      timestamptz not null
) with (fillfactor = 70);

create table incident (
    id            text collate "C" primary key,
    kind          text not null,
    priority      smallint not null check (priority between 1 and 4),
    lon           double precision not null,
    lat           double precision not null,
    given_lon     double precision not null,
    given_lat     double precision not null,
    given_datum   text not null,
    juris         text collate "C" not null,
    title         text not null,
    status        text not null,
    called_at     timestamptz not null,
    opened_at     timestamptz not null,
    address       text not null default '',
    note          text not null default '',
    source        text not null default '',
    ext_id        text,
    ext_rev       integer,
    drill         boolean not null,
    level         text not null,
    mode          text not null,
    needs         jsonb not null,
    ring_s        integer not null,
    step          integer not null default 0,
    shortfall     text,
    search_at     timestamptz,
    owner         text,
    merged_into   text collate "C" references incident,
    reopened_at   timestamptz,
    en_route_at   timestamptz,
    arrived_at    timestamptz,
    controlled_at timestamptz,
    resolved_at   timestamptz,
    ended_at      timestamptz,
    result        text,
    version       integer not null default 1,
    events        integer not null default 0
) with (fillfactor = 70);
create unique index incident_ext on incident (source, ext_id) where ext_id is not null;
create index incident_live on incident (id)
    where status in ('reported', 'open', 'dispatching', 'responding', 'on_scene', 'controlled');

create table offer (
    id           text collate "C" primary key,
    incident_id  text collate "C" not null references incident,
    unit_id      text collate "C" not null references unit,
    slot         smallint not null,
    state        text not null,
    eta_s        real not null,
    distance_m   real not null,
    quality      text not null,
    ring_s       integer not null,
    sent_at      timestamptz not null,
    lapse_at     timestamptz not null,
    exp_at       timestamptz not null,
    rev          integer not null default 1,
    barred       boolean not null default false,
    delivered_at timestamptz,
    seen_at      timestamptz,
    ended_at     timestamptz
) with (fillfactor = 70);
create index offer_incident on offer (incident_id);
create index offer_live on offer (unit_id) where state in ('open', 'lapsed');
create index offer_sent on offer (sent_at);

create table assignment (
    id            text collate "C" primary key,
    incident_id   text collate "C" not null references incident,
    unit_id       text collate "C" not null references unit,
    offer_id      text collate "C" unique references offer,
    slot          smallint not null,
    state         text not null,
    role          text not null,
    kind          text not null,
    eta_s         real not null,
    arrive_at     timestamptz not null,
    assigned_at   timestamptz not null,
    by            text not null,
    ring_s        integer,
    crew          text[] not null default '{}',
    rev           integer not null default 1,
    pinned        boolean not null default false,
    seen_at       timestamptz,
    en_route_at   timestamptz,
    arrived_at    timestamptz,
    controlled_at timestamptz,
    ended_at      timestamptz
) with (fillfactor = 70);
create index assignment_incident on assignment (incident_id);
-- Never two active assignments for one unit: every race ends here.
create unique index assignment_active on assignment (unit_id) where ended_at is null;

-- Append-only. Read by position only below pg_snapshot_xmin, in (xid, id) order: sequences commit out of order.
create table event (
    xid         xid8 not null default pg_current_xact_id(),
    id          bigint generated always as identity,
    incident_id text collate "C" references incident,
    n           integer,
    type        text not null,
    by          text not null,
    via         text not null,
    at          timestamptz not null,
    written_at  timestamptz not null default clock_timestamp(),   -- after every wait of its transaction
    unit_id     text collate "C",
    data        jsonb not null default '{}',
    primary key (xid, id),
    check ((incident_id is null) = (n is null))
);
create unique index event_n on event (incident_id, n);
create function event_is_final() returns trigger language plpgsql as $$
begin
    raise exception 'the event log is append-only';
end $$;
create trigger event_final before update or delete on event
    for each statement execute function event_is_final();

-- A reliable message for one phone. It stays a day after it was acknowledged, so that what a phone was told can be shown.
create table outbox (
    device_id   text collate "C" not null references device,
    seq         bigint not null,
    incident_id text collate "C" not null,
    ref         text collate "C" not null,   -- the offer or assignment it is about
    at          timestamptz not null,
    expires_at  timestamptz not null,
    frame       jsonb not null,
    acked_at    timestamptz,
    superseded  boolean not null default false,
    primary key (device_id, seq)
) with (fillfactor = 80);
create index outbox_waiting on outbox (device_id, seq) where acked_at is null;

-- Moments that come by themselves. The wake of an incident is one row; so is each unit that left it.
create table due (
    id          bigint generated always as identity primary key,
    incident_id text collate "C" not null references incident,
    kind        text not null check (kind in ('wake', 'unit_engaged', 'unit_left', 'order')),
    unit_id     text collate "C" not null default '',
    at          timestamptz not null,
    unique (incident_id, kind, unit_id)
) with (fillfactor = 70);
create index due_at on due (at);

-- What a command was answered, so that a retried one happens once.
create table reply (
    scope  text not null,
    id     text not null,
    digest bytea not null,
    status integer not null,
    body   jsonb not null,
    at     timestamptz not null,
    primary key (scope, id)
);
create index reply_at on reply (at);
