"""The figures of a load run: their names, what each means, and latencies put together."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final

from dispatch.cli.calls import Post
from dispatch.phone.diary import Diary
from dispatch.phone.latency import Latency, Quantiles, latency_of
from dispatch.phone.witness import Stage

QUANTILES: Final = ("p50", "p90", "p99", "max")

STAGES: Final[Mapping[str, str]] = {
    "post_to_answer": "an incident's POST until its answer: it and its first offers are on disk",
    "post_to_written": "the POST until the first offer frame is written, by the server's clock",
    "written_to_received": "that frame until a phone has heard it",
    "post_to_received": "the POST until a phone has heard the first offer: all of the above",
    Stage.PUSH: "every reliable frame, from written to heard",
    Stage.DECIDING: "an offer heard until its accept is said: people's own time, as scripted",
    Stage.ACCEPT: "an accept said until its ok is heard: it is on disk",
    Stage.PROGRESS: "a decline or a progress said until its ok is heard",
    Stage.PONG: "a ping, or a position that asks, until its pong",
    Stage.WELCOME: "a hello until its welcome",
    Stage.RETURN: "a lost line until the next welcome",
}

COUNTS: Final[Mapping[str, str]] = {
    "phones": "phones that took part",
    "phones_online": "phones online at the end",
    "phones_online_least": "phones online when they were fewest",
    "online_after_s": "seconds from the first dial until all phones were online",
    "connects_per_s": "welcomes a second until then",
    "connect_failures": "tries for a line that came to nothing",
    "disconnected": "lines with a welcome that were lost, but for those that dropped off",
    "dropped_off": "lines that phones let drop, as asked for",
    "renewed": "welcomes with another epoch: the server has lost rows",
    "fixes_per_s": "positions sent a second",
    "frames": "reliable frames heard",
    "incidents": "incidents acknowledged",
    "incidents_refused": "incidents refused for good",
    "incidents_given_up": "incidents without an answer to the end",
    "incidents_repeated": "POSTs sent again under their key",
    "incidents_moved": "calls made anew elsewhere: the place was beyond the city, or the key",
    "offers": "offers heard, each by each phone",
    "offered": "incidents of which a phone heard an offer",
    "nobody_at_first": "incidents whose first search found nobody: no stage of offers counts them",
    "unheard": "other incidents of which no phone heard an offer",
    "accepts": "accepts said",
    "tasks": "tasks heard",
    "commands_done": "commands answered with ok",
    "commands_refused": "commands refused for good: an offer was taken meanwhile, for one",
    "lost_incidents": "acknowledged incidents that cannot be read",
    "lost_messages": "offers and tasks no phone of their unit heard though it was on line",
    "lost_commands": "commands answered with ok that are not in the log of their incident",
    "broken_histories": "logs with a gap, or with states that go backwards",
    "doubled": "reliable frames that came twice",
    "disordered": "reliable frames out of their order",
    "rewound": "welcomes that knew less than the phone",
    "repeated": "frames that told once more what a state or another line had told: allowed",
    "double_booked": "units with two active tasks at a time",
    "dead_processes": "load processes that ended before their time",
    "server_pss_mb_max": "memory of all server processes (PSS) when it was most",
    "server_rss_mb_max": "the same as RSS: what processes share counts for each",
    "server_growth_percent": "growth of that PSS from the fifth minute to the end",
    "server_cpu_cores": "cores that the server processes used",
    "server_cpu_us_per_fix": "their CPU by positions sent",
    "load_pss_mb_max": "memory of all load processes (PSS) when it was most",
    "load_kb_per_phone": "the same by phone",
    "load_cpu_cores": "cores that the load processes used",
    "load_cpu_us_per_fix": "their CPU by positions sent",
}

FIGURES: Final[Mapping[str, str]] = {
    **COUNTS,
    **{
        f"{stage}_{quantile}_ms": f"{quantile} of: {meaning}"
        for stage, meaning in STAGES.items()
        for quantile in QUANTILES
    },
}
"""Every name that a threshold may have; a figure that was not measured is null in the report."""


def latencies(
    posts: Sequence[Post], diaries: Sequence[Diary], later: Container[str] = frozenset()
) -> dict[str, Latency]:
    """Return how long each stage took, over all load processes.

    `later`: incidents for which the service had to search again before there was anybody to ask.
    """
    found = {str(stage): Latency() for stage in STAGES}
    for diary in diaries:
        for stage, taken in diary.taken.items():
            found[stage].take(taken)
    firsts = first_offers(diaries)
    heard = [
        (post, firsts[post.incident])
        for post in posts
        if post.incident in firsts and post.incident not in later
    ]
    return found | {
        "post_to_answer": latency_of(post.answered_ms - post.sent_ms for post in posts),
        "post_to_written": latency_of(written - post.sent_ms for post, (written, _) in heard),
        "written_to_received": latency_of(at - written for _, (written, at) in heard),
        "post_to_received": latency_of(at - post.sent_ms for post, (_, at) in heard),
    }


def first_offers(diaries: Iterable[Diary]) -> dict[str, tuple[float, float]]:
    """Return when each incident's first offer frame was written and heard, by our own clock."""
    found: dict[str, tuple[float, float]] = {}
    for diary in diaries:
        for iid, (written_ms, heard_ms) in diary.offers_first.items():
            ours = (written_ms - diary.skew_ms, heard_ms)
            found[iid] = min(found.get(iid, ours), ours)
    return found


def offered(posts: Sequence[Post], diaries: Sequence[Diary]) -> int:
    """Return of how many incidents of this run a phone heard an offer, sooner or later."""
    firsts = first_offers(diaries)
    return sum(post.incident in firsts for post in posts)


def unheard(posts: Sequence[Post], diaries: Sequence[Diary], later: Container[str]) -> int:
    """Return of how many incidents no phone heard an offer, though there was somebody to ask."""
    firsts = first_offers(diaries)
    return sum(post.incident not in firsts and post.incident not in later for post in posts)


def latency_figures(quantiles: Mapping[str, Quantiles]) -> dict[str, float | None]:
    """Return every stage's quantiles by their names; None where nothing was measured."""
    return {
        f"{stage}_{quantile}_ms": getattr(taken, quantile) if taken.n else None
        for stage, taken in quantiles.items()
        for quantile in QUANTILES
    }
