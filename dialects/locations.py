"""Which of the model's nodes an operation stands for: names carried as MLIR locations, of fused operations several."""

from __future__ import annotations

from xdsl.dialects.builtin import ArrayAttr, FusedLoc, LocationAttr, NameLoc, NoneAttr, StringAttr, UnknownLoc


def nodes_of(location: LocationAttr) -> tuple[str, ...]:
    """The names of the nodes, the one that an error should tell first; none where it is unknown."""
    if isinstance(location, NameLoc):
        return (location.desc.data,)
    if isinstance(location, FusedLoc):
        return tuple(dict.fromkeys(name for part in location.locations for name in nodes_of(part)))  # type: ignore[union-attr]
    return ()


def fused(*locations: LocationAttr) -> LocationAttr:
    """The location of what does the work of several operations; the first one leads."""
    names = tuple(dict.fromkeys(name for location in locations for name in nodes_of(location)))
    parts = [NameLoc(StringAttr(name), NoneAttr()) for name in names]
    if not parts:
        return UnknownLoc()
    return parts[0] if len(parts) == 1 else FusedLoc(ArrayAttr(parts), NoneAttr())
