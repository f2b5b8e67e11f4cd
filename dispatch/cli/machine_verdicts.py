"""What is right and wrong about a machine: files, memory, the data folder, the port."""

from pathlib import Path
from typing import Final

from dispatch.cli.machine import Door, Folder
from dispatch.cli.verdict import Line, fail, ok, warn

CITY_PHONES: Final = 23_334
FEW_PHONES: Final = 1_000
MEMORY_LEAST_MB: Final = 400
MEMORY_CITY_MB: Final = 1_600
"""What a whole city with its roads is meant to fit in."""
FREE_LEAST_MB: Final = 1_000
FREE_AMPLE_MB: Final = 10_000


def on_files(most: int, for_others: int, *, running: bool, workers: int = 1) -> Line:
    """Judge how many phones can be held: each one takes a file of the worker that holds it."""
    subject, phones = "open files", max(0, most - for_others) * workers
    whose = "the running Kapok" if running else "a Kapok started from here"
    how = f" in {workers} workers" if workers > 1 else ""
    found = f"{most:,} for {whose}: {phones:,} phones{how}"
    do = (
        f"raise the hard limit (LimitNOFILE, ulimit -Hn) to {CITY_PHONES + for_others:,} or more, "
        "or run more workers (KAPOK_WORKERS)"
    )
    if phones >= CITY_PHONES:
        return ok(subject, found)
    return (warn if phones >= FEW_PHONES else fail)(subject, found, do)


def on_memory(available_mb: int, *, running: bool) -> Line:
    """Judge what is left; a Kapok that runs has taken its own already."""
    subject, found = "memory", f"{available_mb:,} MB can be had"
    if running or available_mb >= MEMORY_CITY_MB:
        return ok(subject, f"{found}, beside the running Kapok" if running else found)
    do = f"{MEMORY_CITY_MB:,} MB is meant for {CITY_PHONES:,} phones with a city's roads"
    return (warn if available_mb >= MEMORY_LEAST_MB else fail)(subject, found, do)


def on_folder(folder: Folder, *, outside: bool) -> Line:
    """Judge where the data are; with an outside database only roads are read from there."""
    subject = "data folder"
    if outside:
        return ok(subject, f"{folder.path}: for roads only, the database is outside")
    if folder.trouble:
        return fail(subject, folder.trouble, "mend it, or name another folder by KAPOK_DATA")
    found = f"{folder.path}: {folder.free_mb:,} MB free"
    if folder.free_mb >= FREE_AMPLE_MB:
        return ok(subject, found)
    do = f"make room: a full disk refuses calls in the end; {FREE_AMPLE_MB:,} MB are ample"
    return (warn if folder.free_mb >= FREE_LEAST_MB else fail)(subject, found, do)


def on_lock(database: Path, holder: int | None) -> Line:
    """Say who holds the data folder; that somebody or nobody does is both right."""
    if holder is None:
        return ok("lock", f"nobody holds {database}")
    return ok("lock", f"process {holder} holds {database}")


def on_door(door: Door) -> Line:
    """Judge the port: free, or a Kapok that is ready; a stranger there keeps Kapok out."""
    subject = "port"
    if door.kapok and door.readiness is not None:
        return _on_kapok(door.url, door.kapok, door.readiness.ready, door.readiness.parts)
    if door.taken:
        found = f"somebody answers at {door.url}, and it is no Kapok"
        return fail(subject, found, "end it, or give Kapok another port by KAPOK_PORT")
    if door.trouble:
        found = f"{door.url} cannot be opened: {door.trouble}"
        return fail(subject, found, "name another address by KAPOK_HOST and KAPOK_PORT")
    return ok(subject, f"{door.url} is free")


def _on_kapok(url: str, version: str, ready: bool, parts: dict[str, bool]) -> Line:
    if ready:
        return ok("port", f"Kapok (REST version {version}) answers at {url} and is ready")
    missing = ", ".join(sorted(name for name, is_ready in parts.items() if not is_ready))
    found = f"Kapok (REST version {version}) answers at {url} and is not ready: {missing}"
    return fail("port", found, "its log says why; see the runbook, KapokDown")


def on_time(follows: bool | None) -> Line:
    """Judge whether the machine's clock is kept right by anybody."""
    subject = "time server"
    if follows:
        return ok(subject, "the machine's clock follows one")
    found = "the machine's clock follows none" if follows is False else "the kernel does not say"
    return warn(subject, found, "run chrony or systemd-timesyncd on this machine")


def on_bus(server: str, trouble: str) -> Line:
    """Judge one server of the bus."""
    if trouble:
        found = f"{server} cannot be reached: {trouble}"
        return fail("bus", found, "look whether it runs, and whether BUS_URL names it")
    return ok("bus", f"{server} answers")


def on_no_bus(workers: int) -> Line:
    """Say what processes hear one another by where no bus is named."""
    found = "none is needed by one process" if workers == 1 else "our own, started with the service"
    return ok("bus", found)
