"""Every commit and every request is a point, so that the kill sweep misses none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from practising import Ground
from sqlalchemy import Engine, event, insert

from crosswalk import points
from crosswalk.store.engine import Store
from crosswalk.store.tables import META


@pytest.fixture
def commits() -> Iterator[list[object]]:
    """Every commit of every SQLAlchemy engine of this process."""
    seen: list[object] = []

    def commit(connection: object) -> None:
        seen.append(connection)

    event.listen(Engine, "commit", commit)
    yield seen
    event.remove(Engine, "commit", commit)


def test_every_commit_and_every_request_of_a_run_is_a_point(ground: Ground, commits: list[object]) -> None:
    """Over a whole run with faults, changes and a second pass: commits and requests are as many as their points."""
    ground.fresh("part_paid", "refund_mixed", "guest", "pending", "locked", "bad_date")
    ground.house()
    ground.control.forget_requests()
    ground.control.use_faults("xero", [{"kind": "lost_answer", "method": "PUT", "nth": 2}])
    commits.clear()
    reached: Counter[str] = Counter()
    points.install(lambda name: reached.update([name.partition(":")[0] if name.startswith("store:") else name]))
    ground.whole()
    ground.control.changes(share=1.0, seed=1)
    ground.later().whole()
    points.install(None)
    arrived = sum(ground.control.counts()[system]["total"] for system in ("shopify", "xero"))
    assert reached["store"] == len(commits) > 30
    assert reached["http:before-send"] == reached["http:after-send"] == arrived > 20
    assert reached["http:after-answer"] == arrived - 1


def test_a_commit_beside_the_store_is_noticed(store: Store, commits: list[object]) -> None:
    """What the test above counts includes a commit that no point knows of."""
    reached: list[str] = []
    points.install(reached.append)
    with store.transaction("test") as connection:
        connection.execute(insert(META).values(name="one", value=""))
    with store.engine.begin() as connection:
        connection.execute(insert(META).values(name="two", value=""))
    points.install(None)
    assert (len(commits), reached) == (2, ["store:test"])


def test_reading_commits_nothing(store: Store, commits: list[object]) -> None:
    """A point stands for a write: reading has none."""
    store.epoch()
    store.revision()
    assert commits == []
