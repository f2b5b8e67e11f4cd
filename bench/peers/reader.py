"""The floor of a start: the same rows by plain asyncpg, and the same road file."""

from pathlib import Path
from time import perf_counter

import asyncpg

from bench.harness.answering import answer, run, say
from dispatch.clock import SystemClock
from dispatch.store import statements as sql
from geo.roads import file as road_file


async def main(dsn: str, roads: str | None) -> None:
    """Read everything once; then answer until the parent hangs up."""
    began, now = perf_counter(), SystemClock().now()
    connection = await asyncpg.connect(dsn)
    rows = [
        await connection.fetch(sql.UNIT_ROWS, now),
        await connection.fetch(sql.IDENTITIES),
        await connection.fetch(sql.CREWS),
        await connection.fetch(sql.KEYS),
        await connection.fetch(sql.ACTIVE_CASES),
    ]
    rows_s = perf_counter() - began
    graph = road_file.load(Path(roads)) if roads else None
    roads_s = perf_counter() - began - rows_s
    counts = [len(each) for each in rows]
    say({"rows": counts, "rows_s": rows_s, "roads_s": roads_s, "nodes": graph and graph.nodes})
    await connection.close()
    await answer({})


if __name__ == "__main__":
    run(main)
