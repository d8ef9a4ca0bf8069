"""A run that cannot begin holds nothing, may be tried again, and is noted once."""

from __future__ import annotations

from typing import Any

import pytest
from practising import Ground
from sqlalchemy import select

from crosswalk.errors import BadCredentials, Busy, Transient, VendorError
from crosswalk.runs import body, session
from crosswalk.runs.session import Session
from crosswalk.store.leases import take
from crosswalk.store.tables import LEASE, RUN


def runs(ground: Ground) -> list[tuple[str, str]]:
    with ground.store.reading() as connection:
        return [(r.id, r.state) for r in connection.execute(select(RUN).order_by(RUN.c.started_at))]


def test_opening_is_tried_again_as_the_same_run(ground: Ground) -> None:
    """A source that fails while the window is fixed leaves neither lease nor run behind; the next attempt begins
    the same run, which ends as if nothing had been."""
    ground.fresh(orders=2)
    current = ground.session("customers")
    attempts: list[str] = []

    def stubborn(one: Session) -> None:
        ground.control.add_fault("shopify", "status", status=403, body="no")
        with pytest.raises(VendorError) as caught:
            session.begin(one)
        attempts.append(type(caught.value).__name__)
        ground.control.clear_faults()
        assert one.lease is None and runs(ground) == []
        with ground.store.reading() as connection:
            assert [r.holder for r in connection.execute(select(LEASE))] == [""]
        session.begin(one)

    account = body.run(current, body.Steps(open=stubborn))
    assert attempts == ["BadCredentials"] and account.created > 0
    assert runs(ground) == [(current.run, "completed")]


def test_a_run_that_never_opens_is_noted_once(sqlite_ground: Ground) -> None:
    """What keeps failing is one failed run with its words; a binding that another process holds is none at all."""
    ground = sqlite_ground.fresh(orders=2)
    ground.control.add_fault("shopify", "status", status=403, body="no")
    current = ground.session("customers")
    with pytest.raises(BadCredentials):
        body.run(current)
    ground.control.clear_faults()
    assert runs(ground) == [(current.run, "failed")]
    other: Any = ground.session("customers")
    lease = take(other.store, other.scope, other.process)
    with pytest.raises(Busy):
        ground.run("customers")
    lease.release()
    assert len(runs(ground)) == 1
    assert not issubclass(BadCredentials, Transient)
    ground.run("customers")
    assert [state for _, state in runs(ground)] == ["failed", "completed"]
