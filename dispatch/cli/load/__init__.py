"""`kapok load`: real phones and calls against any Kapok, by its address and tokens."""

from dispatch.cli.load.command import load

__all__ = ["load"]
