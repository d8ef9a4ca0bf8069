"""Recognising: target records that were there before us and fit a declared field, before a first create is sent.

One that carries our reference is taken over at once. One that does not is proposed: it is taken over once a plan that
shows it is approved, and held until then. Several are held. None lets the create go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from crosswalk.connectors.base import Found
from crosswalk.delivery import prepare
from crosswalk.delivery.compare import shows
from crosswalk.delivery.context import Delivery
from crosswalk.delivery.prepare import Ready
from crosswalk.store import held, ledger, links, runs
from crosswalk.store.held import Hold
from crosswalk.store.ledger import FOUND, Name

RULE = "recognised at the target"
"""The rule that holds a first create because records that fit are there already."""


@dataclass(frozen=True)
class Ask:
    """What one record is recognised by: a target field and its value, and our own reference."""

    name: Name
    field: str
    value: str
    marker: str


@dataclass(frozen=True)
class Fits:
    """What the target holds that fits. ours: it carries our reference. unknown: the target cannot be asked for it."""

    found: tuple[Found, ...] = ()
    ours: Found | None = None
    unknown: bool = False

    @property
    def one(self) -> Found | None:
        """The only record that fits, when there is exactly one."""
        return self.found[0] if len(self.found) == 1 else None


def asked(name: Name, marker: str, extra: Mapping[str, Any]) -> Ask | None:
    """What a first create is to be recognised by; None where its mapping declares nothing or it has no such value."""
    field, value = extra.get("match") or ("", "")
    return Ask(name, field, value, marker) if value else None


def look(delivery: Delivery, resource: str, asks: Sequence[Ask]) -> dict[Name, Fits]:
    """Ask the target for all of these at once. What belongs to another record of ours does not count."""
    marker = delivery.target.operation(resource, "create").marker
    there: dict[tuple[str, str], Sequence[Found]] = {}
    for field in sorted({a.field for a in asks}):
        values = sorted({a.value for a in asks if a.field == field})
        there |= {(field, v): found for v, found in delivery.target.find(resource, field, values).items()}
    ids = sorted({f.target_id for some in there.values() for f in some})
    with delivery.store.reading() as connection:
        taken = links.claimed(connection, delivery.binding.target.key, resource, ids)
    return {a.name: _fits(delivery, marker, a, there.get((a.field, a.value)), taken) for a in asks}


def _fits(delivery: Delivery, marker: str, ask: Ask, there: Sequence[Found] | None, taken: Mapping[str, Any]) -> Fits:
    if there is None:
        return Fits(unknown=True)
    prefix = delivery.binding.source.prefix
    free = []
    for found in there:
        carried = str(found.echo.get(marker) or "")
        if found.target_id in taken:
            continue
        if marker and ask.marker and carried == ask.marker:
            return Fits((found,), ours=found)
        if not (marker and prefix and carried.startswith(f"{prefix}-")):
            free.append(found)
    return Fits(tuple(free))


def recognised(delivery: Delivery, items: Sequence[Ready]) -> list[Ready]:
    """Those first creates that nothing at the target fits, and everything else unasked. The others are taken over
    where a person approved it, or held."""
    asks = {}
    for item in items:
        ask = asked(prepare.name(item.row), item.row.marker, ledger.load(item.row.wanted_extra))
        if ask is not None and not item.row.generation:
            asks[ask.name] = ask
    if not asks:
        return list(items)
    fits = look(delivery, items[0].row.resource, list(asks.values()))
    claims = Counter(f.one.target_id for f in fits.values() if f.one is not None)
    approved = runs.adoptions(delivery.store, delivery.scope)
    by_name = {prepare.name(r.row): r for r in items}
    take: dict[Name, Found] = {}
    reasons: dict[Name, str] = {}
    for name, fit in fits.items():
        one = fit.one
        if fit.ours is not None:
            take[name] = fit.ours
        elif one is not None and approved.get(name) == seen(one) and claims[one.target_id] == 1:
            take[name] = one
        elif why := objection(delivery, asks[name], fit, claims, planned=name in approved):
            reasons[name] = why
    _take(delivery, [(by_name[n], there) for n, there in take.items()])
    _hold(delivery, {n: by_name[n].row for n in reasons}, reasons, asks)
    return [r for n, r in by_name.items() if n not in take and n not in reasons]


def seen(found: Found) -> tuple[str, str]:
    """What an approval holds for: this record as it stands."""
    return found.target_id, found.target_version or ""


def objection(delivery: Delivery, ask: Ask, fit: Fits, claims: Mapping[str, int], *, planned: bool = False) -> str:
    """Why a first create waits for a person; empty when nothing fits and it may go."""
    binding = delivery.binding.name
    apart = f"for a record of its own: crosswalk held retry {binding} --key {ask.name.key} --new"
    if fit.unknown:
        return f"the target cannot be asked for this {ask.field}; {apart}"
    if planned and fit.one is None:
        return f"what the approved plan would adopt by {ask.field} does not fit any more; {apart}"
    if not fit.found:
        return ""
    ids = ", ".join(f.target_id for f in fit.found[:5])
    if fit.one is None:
        return f"{len(fit.found)} records of the target fit by {ask.field}: {ids}; give one our reference; {apart}"
    if claims.get(ids, 0) > 1:
        return f"several records of the source fit the target's record {ids} by {ask.field}; {apart}"
    changed = ", which has changed since its plan was shown" if planned else ""
    return (
        f"the target's record {ids} fits by {ask.field}{changed}; to adopt it: crosswalk plan {binding}, "
        f"then crosswalk apply PLAN; {apart}"
    )


def _hold(
    delivery: Delivery, rows: Mapping[Name, Row[Any]], reasons: Mapping[Name, str], asks: Mapping[Name, Ask]
) -> None:
    """Hold for a person's decision, which stops no run."""
    if not rows:
        return
    now = delivery.clock.now()
    with delivery.store.transaction("hold") as connection:
        for name, row in rows.items():
            ledger.mark(
                connection, delivery.scope, [name],
                held=ledger.clean(reasons[name]), held_because=f"refused:{row.wanted_hash}", fate="held",
                changed_at=now,
            )  # fmt: skip
        holds = [
            Hold(n.key, n.part, "load", RULE, asks[n].field, why, by_person=True, version=rows[n].wanted_version)
            for n, why in reasons.items()
        ]
        held.put(connection, delivery.store, delivery.scope, delivery.run, holds, now)


def _take(delivery: Delivery, pairs: Sequence[tuple[Ready, Found]]) -> None:
    """Take over: from now on it is the counterpart, and what it shows otherwise is updated next.

    What it shows now is what a person has seen: a later change there is foreign.
    """
    if not pairs:
        return
    now = delivery.clock.now()
    with delivery.store.transaction("adopt") as connection:
        for one, there in pairs:
            row = one.row
            parent = delivery.parent(row.source_resource, row.source_id, row.resource)
            links.commit(connection, parent, there.target_id, delivery.binding.name, now, adopted=True)
            same = shows(one.item.payload, there.echo)
            shown = {field: there.echo[field] for field in one.item.payload if field in there.echo}
            ledger.mark(
                connection, delivery.scope, [prepare.name(row)],
                target_id=there.target_id, target_version=there.target_version or "", look_first=False,
                applied_hash=row.wanted_hash if same else FOUND,
                applied_payload=row.wanted_payload if same else ledger.dump(shown),
                applied_version=row.wanted_version if same else "", fate="unchanged" if same else "planned",
                tries=0, next_try_at=None, last_error="", changed_at=now,
            )  # fmt: skip


def waiting(delivery: Delivery) -> dict[Name, Row[Any]]:
    """Ledger rows that are held because a record at the target fits."""
    with delivery.store.reading() as connection:
        names = held.named(connection, delivery.scope, RULE)
        rows = ledger.existing(connection, delivery.scope, {n.key for n in names})
    return {name: rows[name] for name in names if name in rows and rows[name].held}


def proposal(name: Name, found: Found) -> list[str]:
    """An adoption as an approved plan keeps it."""
    return [name.key, name.part, *seen(found)]
