"""Open breakers as incidents: a connection that is away is told of once, and once that it answers again."""

from __future__ import annotations

from sqlalchemy import select

from crosswalk.alerts.incidents import Incidents
from crosswalk.alerts.message import Fact
from crosswalk.alerts.trouble import CONNECTION, OUTAGE, Trouble
from crosswalk.store.breakers import Breakers, Outage
from crosswalk.store.tables import BREAKER, INCIDENT


def keep(incidents: Incidents) -> list[str]:
    """Make the incidents agree with the breakers, as often as one likes; the ids of those whose connection is away.

    Raises StoreError. The breakers are the truth: whoever opened or closed one may have died before telling.
    """
    ours = f"{incidents.environment}/"
    away = [o for o in Breakers(incidents.store).outages() if o.connection.startswith(ours)]
    for connection in _mended(incidents):
        name = connection.split("/")[1]
        incidents.clear(f"{name} answers again", kinds=[CONNECTION], connection=connection, error=OUTAGE)
    return [incidents.raise_(_trouble(outage)) for outage in away]


def _mended(incidents: Incidents) -> list[str]:
    """Connections with an open incident that have answered since it was last seen."""
    store = incidents.store
    with store.reading() as reading:
        rows = list(
            reading.execute(
                select(INCIDENT.c.connection, INCIDENT.c.last_seen_at)
                .where(INCIDENT.c.state != "resolved", INCIDENT.c.kind == CONNECTION, INCIDENT.c.error == OUTAGE)
                .where(INCIDENT.c.environment == incidents.environment)
            )
        )
        if not rows:
            return []
        closed = list(reading.execute(select(BREAKER).where(BREAKER.c.opened_at.is_(None), BREAKER.c.failures == 0)))
    seen = {row.connection: row.last_seen_at for row in rows}
    found = []
    for row in closed:
        environment, _, rest = row.connection.partition("/")
        name = rest.partition("/")[0]
        if environment == incidents.environment and name in seen and row.changed_at >= seen[name]:
            found.append(row.connection)
    return found


def _trouble(outage: Outage) -> Trouble:
    name = outage.connection.split("/")[1]
    return Trouble(
        kind=CONNECTION, connection=outage.connection, error="Away", title=f"{name} is away", what=outage.why,
        facts=(Fact("Since", f"{outage.since:%Y-%m-%d %H:%M} UTC", outage.since),),
        then="What is to be delivered waits in the store and is sent in order once it answers; what cannot be read is "
        f"read later. It is tried again by itself, next at {outage.next_try:%H:%M} UTC.",
        command="crosswalk status", run=f"outage {outage.connection} {outage.since.isoformat()}",
    )  # fmt: skip
