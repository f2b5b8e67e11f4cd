"""Rows about phones that sleep, turned into what the ports promise."""

from typing import TypeAlias

import asyncpg
import msgspec

from dispatch.ports import Channel, Claimed, Push, PushAddress, PushState, Unheard
from schemas.base import DeviceId

Row: TypeAlias = asyncpg.Record


def address(kind: str | None, to: str | None) -> PushAddress | None:
    """Return an address, where there is one."""
    return None if kind is None or to is None else PushAddress(kind=kind, a=to)


def unheard(r: Row) -> Unheard:
    """Return a frame nobody has weighed."""
    return Unheard(
        device_id=DeviceId(r["device_id"]),
        seq=r["seq"],
        at=r["at"],
        expires_at=r["expires_at"],
        frame=msgspec.Raw(r["frame"].encode()),
        address=address(r["push_kind"], r["push_to"]),
        tel=r["tel"],
        told=r["told"],
    )


def claimed(r: Row) -> Claimed:
    """Return a push that was taken, or settled on the way."""
    push = Push(
        device_id=DeviceId(r["device_id"]),
        seq=r["seq"],
        channel=Channel(r["channel"]),
        written_at=r["written_at"],
        next_at=r["next_at"],
        expires_at=r["expires_at"],
        oid=r["oid"],
        pri=r["pri"],
        exp_ms=r["exp_ms"],
    )
    to = address(r["kind"], r["address"]) or PushAddress(kind="none", a="")
    return Claimed(push=push, state=PushState(r["state"]), tries=r["tries"], to=to)
