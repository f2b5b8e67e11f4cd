"""A load run: phones come, people call, everything is watched, and proved afterwards."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import numpy as np
from rich.console import Console

from dispatch.cli.calls import Called, Caller
from dispatch.cli.codes import Failure
from dispatch.cli.load.figures import latencies, latency_figures, offered, unheard
from dispatch.cli.load.fleets import Fleets, added
from dispatch.cli.load.history import searched_again
from dispatch.cli.load.phone_file import placed, read_tokens
from dispatch.cli.load.places import BesidePosts
from dispatch.cli.load.processes import Processes
from dispatch.cli.load.proof import Proof, prove
from dispatch.cli.load.report import Report
from dispatch.cli.load.screen import Look, Screen
from dispatch.cli.load.site import Site
from dispatch.cli.load.threshold import held, judge
from dispatch.cli.load.wish import Wish
from dispatch.clock import SystemClock
from dispatch.phone.diary import Diary, Tally
from dispatch.phone.fleet import PhoneLine
from schemas.base import Instant, ms

LOOK_S: Final = 0.5
SAMPLES: Final = 4
SAMPLE_S: Final = 5.0
"""Memory is looked at this often, and at least so many times in a short run."""
LEAST_SETTLE_S: Final = 1.0
HURRY_S: Final = 10.0
CALL_PATIENCE_S: Final = 120.0
"""An incident is sent again so long, whatever the service says meanwhile."""


class Window(NamedTuple):
    """What was counted when measuring began and ended, and how few phones were online between."""

    began: Instant
    before: Tally
    after: Tally
    seconds: float
    online_least: int


class Run:
    """One run, from the phones' file to the report."""

    def __init__(self, wish: Wish, console: Console) -> None:
        self._wish = wish
        self._screen = Screen(console)
        self._clock = SystemClock()
        self._stop = asyncio.Event()
        self._server = Processes(wish.server_pids)
        self._load = Processes(())
        self._online_least = 0

    async def run(self) -> Report:
        """Return the report; Ctrl-C ends the run early, in order, with a report all the same.

        Raises:
            Failure: the service does not answer, or the phones' file is not good.
        """
        began = self._clock.now()
        async with Site(self._wish.url, self._wish.key) as site:
            phones = await self._phones(site)
            self._listen_to_ctrl_c()
            async with Fleets.started(phones, self._wish) as fleets:
                self._load = Processes([*fleets.pids, os.getpid()])
                caller = self._caller(phones)
                with self._screen:
                    await self._connect(fleets, caller)
                    window = await self._measure(fleets, caller)
                    online = fleets.tally.online
                    diaries, dead = await fleets.stop()
            read = await site.histories(began, caller.acknowledged)
        proof = prove(diaries, read, caller.acknowledged)
        later = searched_again(read)
        return self._report(began, window, online, caller, diaries, dead, proof, later)

    def _listen_to_ctrl_c(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)

    async def _phones(self, site: Site) -> list[PhoneLine]:
        tokens = read_tokens(self._wish.phones_file)[: self._wish.phones_most]
        require(self._wish, len(tokens))
        return placed(tokens, await site.posts())

    def _caller(self, phones: Sequence[PhoneLine]) -> Caller:
        return Caller(
            BesidePosts(phones),
            self._wish.url,
            self._wish.key,
            self._wish.per_minute,
            np.random.default_rng(self._wish.seed),
            self._clock.new_id,
            source="load",
            drill=True,
            tries_s=CALL_PATIENCE_S,
            now_ms=lambda: ms(self._clock.now()),
        )

    # The run. ------------------------------------------------------------------------------------

    async def _connect(self, fleets: Fleets, caller: Caller) -> None:
        """Wait until all phones are online, but no longer than they may take."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < self._wish.connect_within_s and not self._over(fleets):
            self._show("connecting", loop.time() - began, fleets, caller.called)
            if fleets.tally.online >= fleets.phones:
                return
            await self._pause(LOOK_S)

    async def _measure(self, fleets: Fleets, caller: Caller) -> Window:
        """Let people call for the time asked for; then give the last of them theirs."""
        loop = asyncio.get_running_loop()
        await fleets.begin()
        before, began, began_at = fleets.tally, loop.time(), self._clock.now()
        self._online_least = before.online
        sampling = asyncio.create_task(self._sample(began))
        stop_calls = asyncio.Event()
        calling = asyncio.create_task(caller.run(stop_calls))
        await self._watch("measuring", self._wish.seconds, fleets, caller)
        after, seconds = fleets.tally, loop.time() - began
        sampling.cancel()
        self._look_at_processes(seconds)
        stop_calls.set()
        if not self._stop.is_set():
            await self._watch("the last calls", self._settle_s, fleets, caller)
        await self._answered(calling)
        return Window(began_at, before, after, seconds, self._online_least)

    async def _answered(self, calling: asyncio.Task[None]) -> None:
        """Wait for the last answers; whoever pressed Ctrl-C does not wait for a dead service."""
        await asyncio.wait({calling}, timeout=HURRY_S if self._stop.is_set() else None)
        calling.cancel()
        with suppress(asyncio.CancelledError):
            await calling

    async def _watch(self, doing: str, seconds: float, fleets: Fleets, caller: Caller) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (left_s := seconds - (loop.time() - began)) > 0 and not self._over(fleets):
            self._online_least = min(self._online_least, fleets.tally.online)
            self._show(doing, loop.time() - began, fleets, caller.called)
            await self._pause(min(LOOK_S, left_s))

    @property
    def _settle_s(self) -> float:
        """Return how long people may take over an offer."""
        habits = self._wish.habits
        return max(LEAST_SETTLE_S, 1.5 * (habits.see_s + habits.decide_s))

    def _over(self, fleets: Fleets) -> bool:
        return self._stop.is_set() or len(fleets.dead) == len(fleets.pids)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    async def _sample(self, began: float) -> None:
        """Look at memory and CPU, at once and then every so often."""
        loop = asyncio.get_running_loop()
        every_s = min(SAMPLE_S, self._wish.seconds / SAMPLES)
        while True:
            self._look_at_processes(loop.time() - began)
            await asyncio.sleep(every_s)

    def _look_at_processes(self, at_s: float) -> None:
        self._server.look(at_s)
        self._load.look(at_s)

    def _show(self, doing: str, seconds: float, fleets: Fleets, called: Called) -> None:
        self._screen.show(
            Look(
                doing=doing,
                seconds=seconds,
                tally=fleets.tally,
                called=called,
                push_ms=fleets.push_ms,
                pong_ms=fleets.pong_ms,
                dead=len(fleets.dead),
            )
        )

    # Afterwards. ---------------------------------------------------------------------------------

    def _report(
        self,
        began: Instant,
        window: Window,
        online: int,
        caller: Caller,
        diaries: Sequence[Diary],
        dead: Sequence[str],
        proof: Proof,
        later: frozenset[str],
    ) -> Report:
        total = added([diary.tally for diary in diaries])
        taken = latencies(caller.posts, diaries, later)
        stages = {name: latency.quantiles() for name, latency in taken.items()}
        failures, online_after_s = connect_failures(total), all_online_s(diaries)
        figures: dict[str, float | None] = {
            **_told(total, caller.called, window),
            **self._used(window),
            **proof.counts,
            **latency_figures(stages),
            "phones": window.before.phones,
            "phones_online": online,
            "offered": offered(caller.posts, diaries),
            "nobody_at_first": len(later),
            "unheard": unheard(caller.posts, diaries, later),
            "online_after_s": online_after_s,
            "connects_per_s": _over(window.before.phones, online_after_s),
            "connect_failures": sum(failures.values()),
            "dead_processes": len(dead),
        }
        return Report(
            url=self._wish.url,
            began=began,
            measured_from=window.began,
            ended=self._clock.now(),
            seconds=round(window.seconds, 3),
            figures=figures,
            stages=stages,
            disconnects=total.disconnects,
            connect_failures=failures,
            incidents_refused=caller.called.codes,
            commands_refused=total.refused,
            ended_by=total.ended,
            thresholds=[judge(each, figures) for each in held(self._wish.thresholds)],
            examples=proof.examples,
            dead=dead,
            server=self._server.uses(),
            load=self._load.uses(),
        )

    def _used(self, window: Window) -> dict[str, float | None]:
        fixes = window.after.fixes - window.before.fixes
        server, load = self._server, self._load
        return {
            "server_pss_mb_max": server.pss_mb_max,
            "server_rss_mb_max": server.rss_mb_max,
            "server_growth_percent": server.growth_percent,
            "server_cpu_cores": _over(server.cpu_s, server.seconds),
            "server_cpu_us_per_fix": _over(server.cpu_s, fixes, 1e6),
            "load_pss_mb_max": load.pss_mb_max,
            "load_kb_per_phone": _over(load.pss_mb_max, window.before.phones, 1024.0),
            "load_cpu_cores": _over(load.cpu_s, load.seconds),
            "load_cpu_us_per_fix": _over(load.cpu_s, fixes, 1e6),
        }


def connect_failures(tally: Tally) -> Mapping[str, int]:
    """Return the tries for a line that came to nothing, by close code."""
    by_code = dict(tally.losses)
    for code, count in tally.disconnects.items():
        by_code[code] = by_code.get(code, 0) - count
    by_code["broken"] = by_code.get("broken", 0) - tally.dropped_off
    return {code: count for code, count in by_code.items() if count > 0}


def all_online_s(diaries: Sequence[Diary]) -> float | None:
    """Return how long it took from the first dial until all were online; None if they never were.

    Each process comes to its own fullness: one whose phones went again meanwhile counts.
    """
    ends = [diary.complete_ms for diary in diaries]
    if not ends or None in ends:
        return None
    last_ms = max(end for end in ends if end is not None)
    return round((last_ms - min(diary.began_ms for diary in diaries)) / 1000, 3)


def _told(total: Tally, called: Called, window: Window) -> dict[str, float | None]:
    """Return what was counted, by the names of figures."""
    return {
        "phones_online_least": window.online_least,
        "disconnected": sum(total.disconnects.values()),
        "dropped_off": total.dropped_off,
        "renewed": total.renewed,
        "fixes_per_s": _over(window.after.fixes - window.before.fixes, window.seconds),
        "frames": total.reliable,
        "incidents": called.acknowledged,
        "incidents_refused": called.refused,
        "incidents_given_up": called.sent - called.acknowledged - called.refused,
        "incidents_repeated": called.repeated,
        "incidents_moved": called.moved,
        "offers": total.offers,
        "accepts": total.accepts,
        "tasks": total.tasks,
        "commands_done": total.done,
        "commands_refused": sum(total.refused.values()),
        "doubled": total.doubled,
        "disordered": total.disordered,
        "rewound": total.rewound,
        "repeated": total.repeated,
    }


def _over(part: float | None, whole: float | None, times: float = 1.0) -> float | None:
    """Return part / whole; None where there is none of either."""
    return None if part is None or not whole else round(times * part / whole, 3)


def require(wish: Wish, phones: int) -> None:
    """Refuse what phones cannot do.

    Raises:
        Failure: more positions are asked for than people who roam may send.
    """
    most = wish.habits.roam * phones
    if wish.fixes_per_s > most:
        raise Failure(
            f"{wish.fixes_per_s:g} fixes a second are more than one a second of {most:.0f} phones"
            " that roam: raise --moving"
        )
