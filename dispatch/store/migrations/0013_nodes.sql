-- Many processes on one database: who is alive, and which of them holds which phone.
--
-- Both tables are unlogged. Nothing of them is worth keeping: a process says twice a second that it is alive, and a phone
-- says hello where it comes. So a beat waits neither for a disk nor for a standby, and a primary whose standby is silent
-- does not make its processes look dead. After a crash, and on a promoted standby, both begin empty: nobody is taken for
-- alive by the clock of a server that is gone, and every process is back with its next beat.

create unlogged table node (
    id         text collate "C" primary key,
    host       text not null,
    pid        integer not null,
    started_at timestamptz not null,
    build      text not null default '',
    seen_at    timestamptz not null
) with (fillfactor = 50);

-- No reference to `device`: its lock would write to a table that is logged, and a commit would wait for the disk again.
create unlogged table binding (
    device_id text collate "C" primary key,
    node_id   text collate "C" not null,
    at        timestamptz not null
) with (fillfactor = 70);
