"""What a session's profile tells: of each place in the host program that runs a kernel, how often, how long, and on what work."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from .abi import RECORD, SITE

_Site, _Record = SITE.ctypes(), RECORD.ctypes()


@dataclass(frozen=True)
class Dispatch:
    """One place in a compiled program that runs a kernel, or copies, and its figures over all runs since the last reset.

    kernel: its name, "copy" for a copy; nodes: the model's nodes that it is part of, the one first that most of the work is for;
    count: how often it ran; nanoseconds and least_nanoseconds: of wall time, in all and of the fastest; bytes: that had to be read and
    written at least, each operand once; operations: of arithmetic on elements (a product and a sum are two), None where not known.
    """

    kernel: str
    nodes: tuple[str, ...]
    count: int
    nanoseconds: int
    least_nanoseconds: int
    bytes: int
    operations: int | None


def read_profile(module: Any, instance: ctypes.c_void_p, *, reset: bool = False) -> list[Dispatch]:
    """The figures of every site in the order of the program, none where the program keeps no profile. reset: begin anew."""
    if not module.site_count:
        return []
    address = module.profile(instance)
    sites = (_Site * module.site_count).from_address(module.sites)
    records = (_Record * module.site_count).from_address(address)
    found = [_dispatch(site, record) for site, record in zip(sites, records, strict=True)]
    if reset:
        ctypes.memset(address, 0, ctypes.sizeof(records))
    return found


def _dispatch(site: Any, record: Any) -> Dispatch:
    nodes = (ctypes.c_char_p * site.node_count).from_address(site.nodes) if site.node_count else ()
    return Dispatch(
        site.name.decode(),
        tuple(node.decode() for node in nodes),
        record.count,
        record.nanoseconds,
        record.least_nanoseconds,
        record.bytes,
        record.operations if site.counts_operations else None,
    )
