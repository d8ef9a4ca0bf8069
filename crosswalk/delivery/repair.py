"""Links that broke: the target says that a record which we know is gone. Looked for once more by our reference, or the
records that hang on it are held, each with the parent's name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from crosswalk.connectors.base import Item
from crosswalk.delivery.asking import can_ask
from crosswalk.delivery.context import Delivery
from crosswalk.store import held, ledger, links
from crosswalk.store.held import Hold
from crosswalk.store.ledger import PARENT, Name
from crosswalk.store.links import Parent

RULE = "gone at the target"
"""The rule that holds a record because it, or what it hangs on, is gone at the target."""


def mend(delivery: Delivery, parents: Collection[Parent]) -> tuple[dict[Parent, str], dict[Parent, str]]:
    """Ask the target once about links that are marked as broken: those that hold, with the id that is right now, and
    those whose record is gone, with the id that it had. Others are in neither."""
    with delivery.store.reading() as connection:
        broken = links.broken(connection, parents)
        markers = links.markers(connection, broken)
    right: dict[Parent, str] = {}
    for resource in sorted({p.target_resource for p in broken}):
        right |= _there(delivery, resource, {p: i for p, i in broken.items() if p.target_resource == resource}, markers)
    if right:
        now = delivery.clock.now()
        with delivery.store.transaction("mend") as connection:
            for parent, id in sorted(right.items(), key=lambda one: one[0].text):
                owner = links.claimed(connection, parent.target, parent.target_resource, [id]).get(id, parent)
                if owner != parent:
                    del right[parent]
                    continue
                links.commit(connection, parent, id, delivery.binding.name, now, adopted=True)
                links.moved(connection, parent, broken[parent], id)
    return right, {p: i for p, i in broken.items() if p not in right}


def _there(
    delivery: Delivery, resource: str, known: Mapping[Parent, str], markers: Mapping[Parent, str]
) -> dict[Parent, str]:
    now = delivery.target.current(resource, sorted(set(known.values())))
    right = {p: i for p, i in known.items() if i in now and not now[i].gone}
    left = [p for p in known if p not in right and markers.get(p)]
    facts = delivery.target.operation(resource, "create")
    if left and facts.marker and can_ask(facts):
        found = delivery.target.look_up(resource, "create", [Item(p.text, markers[p], {}) for p in left])
        for parent, there in zip(left, found, strict=True):
            if there is not None and there.applied and there.carries_marker and not there.gone:
                right[parent] = there.target_id
    return right


def hold(delivery: Delivery, rows: Sequence[tuple[Row[Any], Parent, str]]) -> None:
    """Hold rows with the record that is gone; the mending of its link releases them by itself."""
    if not rows:
        return
    now, holds = delivery.clock.now(), []
    with delivery.store.transaction("hold") as connection:
        for row, parent, id in rows:
            why = _words(delivery, row, parent, id)
            ledger.mark(
                connection, delivery.scope, [Name(row.key, row.part)],
                held=ledger.clean(why), held_because=PARENT, needs=parent.text, fate="held", changed_at=now,
            )  # fmt: skip
            holds.append(Hold(row.key, row.part, "load", RULE, "", why, version=row.wanted_version))
        held.put(connection, delivery.store, delivery.scope, delivery.run, holds, now)


def _words(delivery: Delivery, row: Row[Any], parent: Parent, id: str) -> str:
    again = f"restore it there, then crosswalk held retry {delivery.binding.name} --key {row.key}"
    if parent == delivery.own(row):
        return f"the target's record {id} is gone or archived, and none carries our reference; {again}"
    return (
        f"it hangs on {parent.target_resource} {id} (of {parent.source_resource} {parent.source_id}), which is gone or "
        f"archived at the target, and none there carries our reference; {again}"
    )


def lost(delivery: Delivery, rows: Sequence[Row[Any]]) -> None:
    """The target does not show these any more: found again under our reference, or held."""
    with delivery.store.transaction("broken") as connection:
        links.break_(connection, [delivery.own(r) for r in rows])
    hold(delivery, [(r, *gone) for r, gone in _own_gone(delivery, rows).items()])


def standing(delivery: Delivery, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Rows whose own record stands where it stood. After a failure it is asked for; the others are found again under
    our reference, and chosen anew, or held."""
    doubtful = [r for r in rows if r.tries and r.target_id]
    if not doubtful:
        return list(rows)
    gone = _own_gone(delivery, doubtful)
    hold(delivery, [(r, *why) for r, why in gone.items()])
    with delivery.store.reading() as connection:
        now = links.find(connection, [delivery.own(r) for r in doubtful])
    away = {Name(r.key, r.part) for r in doubtful if r in gone or now.get(delivery.own(r), r.target_id) != r.target_id}
    return [r for r in rows if Name(r.key, r.part) not in away]


def _own_gone(delivery: Delivery, rows: Sequence[Row[Any]]) -> dict[Row[Any], tuple[Parent, str]]:
    own = {delivery.own(r): r for r in rows}
    _, gone = mend(delivery, own)
    return {own[p]: (p, id) for p, id in gone.items()}
