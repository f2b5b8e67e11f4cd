"""Migrations expand: the build before runs on what the next one has made of the database."""

import re
from typing import Final

import pytest

from dispatch.store.migrate import Migration, contracts_to, read
from tests.house.expansion import complaints

EXPANDING_FROM: Final = 13
"""The files before this one came to be before two builds ever ran at once."""
FILES: Final = [each for each in read() if each.number >= EXPANDING_FROM]
REASON: Final = re.compile(r"^-- Contracts: \S.{20,}$", re.MULTILINE)


@pytest.mark.parametrize("migration", FILES, ids=lambda each: str(each.name))
def test_a_migration_expands_unless_its_name_says_that_it_contracts(migration: Migration) -> None:
    """What is in use is taken away a release later, in a file that says why nobody needs it."""
    oldest = contracts_to(migration.name)
    if oldest:
        assert EXPANDING_FROM <= oldest < migration.number
        assert REASON.search(migration.sql), "a line `-- Contracts: why nobody needs it any more`"
    else:
        assert "_contract" not in migration.name, "NNNN_contract_MMMM_what_it_does.sql"
        assert complaints(migration.sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "drop table unit;",
        "DROP FUNCTION IF EXISTS commit_case(jsonb);",
        "drop index unit_juris;",
        "alter table unit drop column name;",
        "alter table unit add column a text, drop column name;",
        "alter table unit rename column name to title;",
        "alter table unit rename to squad;",
        "alter function enrol(jsonb) rename to register_phone;",
        "alter table unit alter column lon type real;",
        "alter table unit alter lon set data type real;",
        "alter table unit alter column name set not null;",
        "alter table unit alter column offers drop default;",
        "alter table unit add column class text not null;",
        "alter table unit add constraint good check (lon < 180);",
        "alter table unit add unique (name);",
        "create unique index unit_name on unit (name);",
        "truncate unit;",
        "delete from unit where disabled;",
        "revoke all on unit from kapok;",
        "do $$ begin drop table unit; end $$;",
        "-- harmless, isn't it\n/* words */ drop\n  table unit;",
        "insert into meta (name) values ('--'); drop table unit;",
    ],
)
def test_what_takes_something_from_the_build_before_is_told(sql: str) -> None:
    """It still runs somewhere while this is applied, and may be taken back to."""
    assert len(complaints(sql)) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "create table shift (id text primary key, name text not null);",
        "create table shift (id text); create unique index shift_id on shift (id);",
        "create table shift (id text); alter table shift alter column id set not null;",
        "alter table unit add column class text;",
        "alter table unit add column class text not null default 'foot', add column b int;",
        "alter table unit alter column name drop not null;",
        "alter table event alter column trace set default nullif(f('a.b', true), '');",
        "create index unit_name on unit (name);",
        "create or replace function f() returns void language plpgsql as $$ begin drop table x; "
        "end $$;",
        "insert into meta (name) values ('drop table unit; delete from unit');",
        "update unit set class = 'foot' where class is null;",
        "-- drop table unit;",
    ],
)
def test_what_only_adds_is_let_through(sql: str) -> None:
    """New tables, columns that may be left out, functions that take what they took."""
    assert complaints(sql) == []
