"""The metrics of several processes as those of one: each sample says whose it is."""

from collections.abc import Iterator, Mapping
from typing import Final

LABEL: Final = "worker"
ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class _Family:
    """What is said of a family once, and the samples of all workers."""

    def __init__(self) -> None:
        self.heads: dict[bytes, bytes] = {}
        self.samples: list[bytes] = []

    def lines(self) -> Iterator[bytes]:
        """Yield its lines: HELP and TYPE, then the samples right below, as readers demand."""
        yield from self.heads.values()
        yield from self.samples


def merged(texts: Mapping[str, bytes]) -> bytes:
    """Return the expositions of workers as one: each sample has the label `worker`, and stays.

    Nothing is added up: rates and quantiles over workers are the query's to make. Help and type
    are those of the first worker that tells of a family. What is taken is text format 0.0.4 as
    `generate_latest` writes it, by lines: to parse it costs forty times as much, and all sockets
    of the process would wait.
    """
    families: dict[bytes, _Family] = {}
    for worker, text in texts.items():
        label = f'{LABEL}="{worker.translate(ESCAPES)}"'.encode()
        family = families.setdefault(b"", _Family())
        for line in text.split(b"\n"):
            if line.startswith(b"#"):
                _, word, name, *_ = line.split(b" ", 3)
                family = families.setdefault(name, _Family())
                family.heads.setdefault(word, line)
            elif line:
                family.samples.append(_labelled(line, label))
    return b"".join(b"%s\n" % line for family in families.values() for line in family.lines())


def _labelled(sample: bytes, label: bytes) -> bytes:
    """Return a sample with one label more; what stands in the others is not looked into."""
    name, brace, rest = sample.partition(b"{")
    if brace:
        return b"%s{%s,%s" % (name, label, rest)
    name, _, value = sample.partition(b" ")
    return b"%s{%s} %s" % (name, label, value)
