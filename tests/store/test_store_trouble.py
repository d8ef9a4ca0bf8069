"""A store that is full, locked or gone: clear errors, nothing half-written, and a clean start afterwards."""

from __future__ import annotations

import resource
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from practising import Ground
from sqlalchemy import event, insert, text
from sqlalchemy.exc import OperationalError

from crosswalk import points
from crosswalk.clock import SharedClock
from crosswalk.errors import StoreError
from crosswalk.runs import body
from crosswalk.store.engine import Store, Taken
from crosswalk.store.tables import META
from crosswalk.store.vault import PRACTICE_KEY, Vault

LARGE = "x" * 200_000

FILL = """
    import sys
    from pathlib import Path
    from crosswalk.clock import SharedClock
    from crosswalk.errors import StoreError
    from crosswalk.store.engine import Store
    from crosswalk.store.tables import META
    from crosswalk.store.vault import PRACTICE_KEY, Vault
    from sqlalchemy import insert

    folder = Path(sys.argv[1])
    store = Store(f"sqlite:///{folder / 'store.db'}", clock=SharedClock(folder / "clock"), vault=Vault(PRACTICE_KEY))
    store.open(migrate=True)
    try:
        for number in range(100):
            with store.transaction("fill") as connection:
                connection.execute(insert(META).values(name=f"row {number}", value="x" * 100_000))
    except StoreError as error:
        print(number, error)
"""


def opened(folder: Path, clock: SharedClock) -> Store:
    return Store(f"sqlite:///{folder / 'store.db'}", clock=clock, vault=Vault(PRACTICE_KEY)).open(migrate=True)


def whole(store: Store) -> list[str]:
    """The rows that stand; the file itself is checked."""
    with store.reading() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        return list(connection.execute(text("SELECT name FROM meta WHERE name LIKE 'row %'")).scalars())


def test_a_full_disk_is_named_and_what_was_committed_stands(tmp_path: Path, clock: SharedClock) -> None:
    """A file system of one megabyte runs full: the error says so, the rows before it are there, the file is whole."""
    script = tmp_path / "fill.py"
    script.write_text(textwrap.dedent(FILL))
    place, kept = tmp_path / "small", tmp_path / "kept"
    place.mkdir()
    mount = f"mount -t tmpfs -o size=1m small {place} && {sys.executable} {script} {place}; cp -r {place} {kept}"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount], capture_output=True, text=True
    )
    if not (kept / "store.db").exists():
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()[-200:]}")
    number, _, said = done.stdout.partition(" ")
    assert "the disk of the store is full" in said and "free some space" in said, done.stdout + done.stderr
    shutil.rmtree(place)
    assert len(whole(opened(kept, clock))) == int(number) > 0


def test_a_file_that_may_not_grow_is_the_disks_trouble(tmp_path: Path, clock: SharedClock) -> None:
    """A limit on the size of files is met in another process: the same care, the same clear error."""
    script = tmp_path / "fill.py"
    script.write_text(textwrap.dedent(FILL))
    limit = 1_000_000
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    number, _, said = done.stdout.partition(" ")
    assert "the disk of the store" in said and "Safe: what was committed before stands" in said, done.stderr
    assert len(whole(opened(tmp_path, clock))) == int(number) > 0


def test_a_database_that_reached_its_size_is_full(tmp_path: Path, clock: SharedClock) -> None:
    """SQLite's own limit of pages is told as what it is, and after it is lifted the same transaction goes through."""
    store = opened(tmp_path, clock)
    with store.reading() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    limits = [pages + 10, 1_000_000]
    event.listen(store.engine, "begin", lambda c: c.exec_driver_sql(f"PRAGMA max_page_count={limits[0]}"))
    with pytest.raises(StoreError, match="the disk of the store is full"), store.transaction("fill") as connection:
        connection.execute(insert(META).values(name="row 1", value=LARGE))
    assert whole(store) == []
    del limits[0]
    with store.transaction("fill") as connection:
        connection.execute(insert(META).values(name="row 1", value=LARGE))
    assert whole(store) == ["row 1"]


def test_a_locked_store_is_said_to_be_locked(tmp_path: Path, clock: SharedClock) -> None:
    """Another process holds the file for longer than we wait: the error names the lock and where to look."""
    store = opened(tmp_path, clock)
    event.listen(store.engine, "connect", lambda c, _: c.execute("PRAGMA busy_timeout=100"))
    store.engine.dispose()
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with (
        pytest.raises(StoreError, match="the store is locked by another process") as locked,
        store.transaction("test") as connection,
    ):
        connection.execute(text("SELECT 1"))
    assert locked.value.next_command == "crosswalk status"
    other.execute("ROLLBACK")
    with store.transaction("test") as connection:
        connection.execute(insert(META).values(name="row 1", value=""))


def test_a_row_that_is_there_already_is_told_from_trouble(store: Store) -> None:
    """What another process wrote in the same moment is an error of its own, and shows nothing of the row."""
    with store.transaction("test") as connection:
        connection.execute(insert(META).values(name="full disk is locked", value="canary"))
    with pytest.raises(Taken) as taken, store.transaction("test") as connection:
        connection.execute(insert(META).values(name="full disk is locked", value="canary"))
    assert "just written the same" in str(taken.value) and "canary" not in str(taken.value)


def test_an_error_inside_a_transaction_undoes_it_and_is_no_point(store: Store) -> None:
    """Whatever is raised, nothing of the transaction stands, and no point says that it does."""
    reached: list[str] = []
    points.install(reached.append)
    with pytest.raises(ZeroDivisionError), store.transaction("test") as connection:
        connection.execute(insert(META).values(name="row 1", value=""))
        raise ZeroDivisionError
    points.install(None)
    assert reached == []
    with store.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM meta WHERE name LIKE 'row %'")).scalar() == 0


@pytest.mark.parametrize("nth", range(1, 8))
def test_a_store_that_goes_away_in_the_middle_loses_nothing(sqlite_ground: Ground, nth: int) -> None:
    """From some commit on every write fails: the run ends with a clear error, and the next one brings it to its end."""
    ground = sqlite_ground.fresh("part_paid", "refund_mixed", "guest")
    ground.run("customers")
    current = ground.session()
    commits = 0

    def reached(name: str) -> None:
        nonlocal commits
        commits += name.startswith("store:")
        if commits == nth:
            event.listen(current.store.engine, "begin", _refuse)

    points.install(reached)
    with pytest.raises(StoreError, match="the disk of the store is full"):
        body.run(current)
    points.install(None)
    event.remove(current.store.engine, "begin", _refuse)
    ground.later(400).whole(2)
    assert ground.verdict() == []


def _refuse(connection: object) -> None:
    raise OperationalError("BEGIN", {}, sqlite3.OperationalError("database or disk is full"))
