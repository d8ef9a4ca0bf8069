"""Opening the store: SQLite (WAL) or PostgreSQL, migrated, of this release, with the key it was written with."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, insert, select, update
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from crosswalk.clock import Clock
from crosswalk.errors import CrosswalkError, KeyTrouble, StoreError, StoreVersion
from crosswalk.points import point
from crosswalk.store.tables import META, RECORD
from crosswalk.store.vault import Vault

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = max(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))
"""The newest migration, read from the names of the files: the chain has one end and its numbers rise."""

CHECK = "crosswalk"


class Taken(StoreError):
    """Another process has written the same row in the same moment."""


class Store:
    """The store of one environment. Every transaction has a name, and its commit is a point."""

    def __init__(self, url: str, *, clock: Clock, vault: Vault, durable: bool = True) -> None:
        self.url = url
        self.clock = clock
        self.vault = vault
        self.engine = _engine(url, durable)

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @contextmanager
    def transaction(self, name: str) -> Iterator[Connection]:
        """Everything or nothing; no request is ever made inside. Raises StoreError when the store is away."""
        try:
            with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
                yield connection
        except CrosswalkError:
            raise
        except SQLAlchemyError as error:
            raise _trouble(self.url, error) from error
        point(f"store:{name}")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read with."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except CrosswalkError:
            raise
        except SQLAlchemyError as error:
            raise _trouble(self.url, error) from error

    def open(self, *, migrate: bool = False) -> Store:
        """Check release and key; with ``migrate`` bring an older or empty store up to this release.

        Raises StoreVersion for a newer store, KeyTrouble for a wrong key, StoreError when it is away.
        """
        found = self.revision()
        if found != HEAD:
            self._other_revision(found, migrate)
        self._check_key()
        return self

    def revision(self) -> str | None:
        """The migration that the store stands at, None when it is empty."""
        from sqlalchemy import inspect, text

        with self.reading() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

    def _other_revision(self, found: str | None, migrate: bool) -> None:
        from crosswalk.store.migrate import known, upgrade

        if found is not None and found not in known():
            raise StoreVersion(
                f"the store stands at migration {found}, which this release does not know: a newer one wrote it",
                safe="nothing was read or written",
                next_command="install the newer release here too",
            )
        if not migrate:
            raise StoreVersion(
                "the store is empty" if found is None else f"the store stands at migration {found}, behind {HEAD}",
                safe="nothing was read or written",
                next_command="crosswalk store migrate",
            )
        try:
            upgrade(self.engine)
        except SQLAlchemyError as error:
            raise _trouble(self.url, error) from error
        point("store:migrate")

    def _check_key(self) -> None:
        with self.reading() as connection:
            sealed = connection.execute(select(META.c.value).where(META.c.name == "sealed")).scalar()
        if sealed is None:
            try:
                self._begin()
            except Taken:
                self._check_key()  # another process has just begun it
        elif self.vault.open(sealed.encode()) != CHECK.encode():
            raise KeyTrouble("CROSSWALK_KEY opens the store's seal but finds something else; the store is damaged")

    def _begin(self) -> None:
        with self.transaction("begin") as connection:
            connection.execute(
                insert(META),
                [
                    {"name": "sealed", "value": self.vault.seal(CHECK.encode()).decode()},
                    {"name": "epoch", "value": uuid.uuid4().hex[:8]},
                    {"name": "since", "value": instant_text(self.clock.now())},
                ],
            )

    def epoch(self) -> str:
        """Changes when the store is restored or changed by hand; part of every idempotency key."""
        with self.reading() as connection:
            return str(connection.execute(select(META.c.value).where(META.c.name == "epoch")).scalar_one())

    def since(self) -> datetime:
        """Since when this store's memory is whole. What is older may have been delivered without its knowledge."""
        with self.reading() as connection:
            value = connection.execute(select(META.c.value).where(META.c.name == "since")).scalar_one()
        return datetime.fromisoformat(value)

    def new_epoch(self, connection: Connection | None = None) -> str:
        """From now on every first create looks up before it writes: the store may be older than the world.

        connection: of the transaction that made it so, if there is one: the two must not come apart.
        """
        if connection is None:
            with self.transaction("epoch") as own:
                return self.new_epoch(own)
        epoch = uuid.uuid4().hex[:8]
        connection.execute(update(META).where(META.c.name == "epoch").values(value=epoch))
        now = instant_text(self.clock.now())
        connection.execute(update(META).where(META.c.name == "since").values(value=now))
        connection.execute(update(RECORD).where(RECORD.c.target_id == "").values(look_first=True))
        return epoch

    def close(self) -> None:
        self.engine.dispose()


def instant_text(instant: datetime) -> str:
    """An instant as text that sorts like the versions of records: UTC, microseconds."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _engine(url: str, durable: bool) -> Engine:
    try:
        parsed = make_url(url)
    except SQLAlchemyError as error:
        raise StoreError("CROSSWALK_STORE is no database address", next_command="see README.md") from error
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            _folder(Path(parsed.database).parent)
        engine = create_engine(parsed, connect_args={"timeout": 30, "check_same_thread": False})
        event.listen(engine, "connect", _sqlite(durable))
        event.listen(engine, "begin", _begin)
        return engine
    if parsed.get_backend_name() != "postgresql":
        raise StoreError(f"the store lives in SQLite or PostgreSQL, not in {parsed.get_backend_name()}")
    return create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        connect_args={"options": "-c timezone=utc", "connect_timeout": 10},
    )


def _folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder of the store cannot be made: {error}", next_command=f"mkdir -p {path}") from error


def _sqlite(durable: bool) -> Any:
    def connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    return connect


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot be upgraded while another writes.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _trouble(url: str, error: SQLAlchemyError) -> StoreError:
    where = make_url(url).render_as_string(hide_password=True)
    text = str(error.orig) if isinstance(error, DBAPIError) and error.orig is not None else str(error)
    low = text.lower()
    if isinstance(error, IntegrityError):
        what, following = "another process has just written the same", "run again"
    elif any(words in low for words in ("disk is full", "no space left", "disk full")):
        what, following = "the disk of the store is full", "free some space, then run again"
    elif "disk i/o error" in low:
        what, following = "the disk of the store cannot be written", "look at its space, its limits and its health"
    elif "is locked" in low:
        what, following = "the store is locked by another process", "crosswalk status"
    elif isinstance(error, OperationalError):
        what, following = "the store cannot be reached", "check CROSSWALK_STORE and that the database runs"
    else:
        what, following = "the store refused a statement", "crosswalk status"
    kind = Taken if isinstance(error, IntegrityError) else StoreError
    return kind(
        f"{what} ({where}): {text.splitlines()[0] if text else type(error).__name__}",
        safe="what was committed before stands; nothing half-written is kept",
        next_command=following,
    )
