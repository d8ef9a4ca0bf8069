"""``crosswalk store``: migrating, checking, pruning, copying away and back the one memory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from crosswalk.console import place, show
from crosswalk.errors import Busy, SettingsError

if TYPE_CHECKING:
    from crosswalk.settings import Settings
    from crosswalk.store.engine import Store
    from crosswalk.store.retention import Periods


def register(app: App) -> None:
    store = App(
        name="store", help="The store: bring it up to this release, check it, prune it, back it up, restore it."
    )
    app.command(store)
    store.command(migrate)
    store.command(check)
    store.command(backup)
    store.command(restore)
    store.command(prune)
    app.command(forget)


def migrate() -> int:
    """Bring an empty or older store up to this release; a store of this release is left as it is."""
    from crosswalk.store.engine import HEAD

    settings = place.settings()
    with place.store(settings, migrate=True) as store:
        show.say(f"The store {_where(store)} stands at migration {HEAD}, epoch {store.epoch()}.")
    return 0


def check() -> int:
    """Check that the store can be opened with this release and key, is whole, and that the files beside it are."""
    from sqlalchemy import func, select

    from crosswalk.store import ledger
    from crosswalk.store.retention import last_pruned
    from crosswalk.store.tables import METADATA

    settings = place.settings()
    trouble = []
    with place.store(settings) as store:
        with store.reading() as connection:
            rows = [
                (name, connection.execute(select(func.count()).select_from(table)).scalar_one())
                for name, table in METADATA.tables.items()
            ]
            if store.dialect == "sqlite":
                said = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
                trouble += [] if said == "ok" else [f"SQLite says: {said}"]
        for binding in settings.bindings.values():
            lost = ledger.adrift(store, binding.scope)
            trouble += (
                [f"{binding.name}: records name an attempt that is not open: {', '.join(lost[:5])}"] if lost else []
            )
        show.facts([
            ("store", _where(store)), ("migration", store.revision()), ("key", "fits"),
            ("epoch", f"{store.epoch()}, whole since {show.when(store.since())}"),
            ("pruned", show.when(last_pruned(store))),
        ])  # fmt: skip
    show.table(("table", "rows"), rows)
    trouble += _files(settings)
    for one in trouble:
        show.warn(f"Wrong: {one}")
    show.say(
        "The store is whole." if not trouble else "Next: crosswalk store restore FILE, or mend what is named above"
    )
    return 1 if trouble else 0


def _files(settings: Settings) -> list[str]:
    """What is wrong with the journal and the limits, which lie in files of their own."""
    import sqlite3

    found = []
    for name in ("journal.db", "limits.db"):
        path = settings.state / name
        if not path.exists():
            continue
        try:
            connection = sqlite3.connect(path, timeout=10)
            try:
                said = connection.execute("PRAGMA quick_check").fetchone()[0]
            finally:
                connection.close()
        except sqlite3.Error as error:
            said = str(error)
        if said != "ok":
            found.append(f"{path}: {said}")
    return found


def backup(file: Path, /) -> int:
    """Write the whole store into one compressed file, consistent as of one moment, also while runs go on.

    Sealed values stay sealed: keep CROSSWALK_KEY as well, apart from the file.

    Args:
        file: The file to write. One that is there is replaced when the new one is whole.
    """
    from crosswalk.store import watching
    from crosswalk.store.backup import backup as write

    with place.store(place.settings()) as store:
        counts = write(store, file)
        watching.note(store, watching.BACKED_UP)
        show.say(f"{sum(counts.values())} rows of {_where(store)} are in {file}.")
    show.say("Keep CROSSWALK_KEY too, apart from it: without the key the file cannot be restored.")
    return 0


def restore(file: Path, /, *, yes: bool = False) -> int:
    """Replace everything in the store by a backup. Afterwards first creates look up before they write.

    Args:
        file: The backup.
        yes: Do not ask.
    """
    from crosswalk.store.backup import restore as read

    with place.store(place.settings()) as store:
        _nobody_runs(store)
        if not yes and not _agreed(store, file):
            raise SettingsError(
                "the store was not restored: nobody agreed",
                safe="the store is as it was",
                next_command=f"crosswalk store restore {file} --yes",
            )
        counts = read(store, file)
        show.say(f"{sum(counts.values())} rows of {file} are in {_where(store)}; its epoch is {store.epoch()} now.")
    show.say("What was delivered after the backup is found by our own references and not sent twice.")
    show.say("Next: crosswalk status; crosswalk state adopt BINDING looks everything up at once")
    return 0


def prune(*, dry_run: bool = False) -> int:
    """Take out what is older than its period: accounts of runs, resolved requests, rows no longer held, events etc.

    The periods stand under [retention] in crosswalk.toml, in days. What is open, in doubt or held stays at any age, and
    the ledger stays whole. Runs may go on meanwhile.

    Args:
        dry_run: Count what would go, and take out nothing.
    """
    from crosswalk.runs import pruning

    with place.house() as house:
        done = pruning.prune(house, dry_run=dry_run)
        periods = pruning.periods(house.settings.home)
    kept = {"journal": f"{periods.journal} d", "bodies": f"{periods.bodies} d"}
    show.table(
        ("table", "would go" if dry_run else "rows gone", "kept for"),
        [(name, count, kept.get(name) or _period(name, periods)) for name, count in done.rows.items()],
    )
    if done.more:
        show.say("There is more: this call has taken out as much as one may.\nNext: crosswalk store prune")
    elif dry_run:
        show.say("Nothing was taken out.\nNext: crosswalk store prune")
    return 0


def _period(table: str, periods: Periods) -> str:
    from crosswalk.store.retention import PERIOD

    return f"{getattr(periods, PERIOD[table])} d"


def forget(
    connection: str, resource: str, id_: Annotated[str, Parameter(name="id")], /, *, value: list[str] | None = None
) -> int:  # fmt: skip
    """Erase what is kept of the person that a source record is about; erase the person at the source first.

    Out of stored payloads, held rows, events, texts of runs and alerts, the journal and its bodies. Keys, hashes and
    links stay, so that nothing is written twice afterwards. Targets, backups and Prefect's pages are not touched.

    Args:
        connection: The source's connection in crosswalk.toml.
        resource: What the record is, such as customers.
        id_: The record's id at the source, whole or what follows its last slash.
        value: What else the person is known by, such as an e-mail address; may be given several times.
    """
    from crosswalk.runs import forgetting

    with place.house() as house:
        done = forgetting.forget(house, connection, resource, id_, value or ())
    show.table(("erased", "number"), [(name, count) for name, count in done.erased.items() if count])
    if not any(done.erased.values()):
        show.say("Nothing of it was kept.")
    if not done.compacted:
        show.warn(
            "Another process uses the files, whose free pages may still hold what was erased.\n"
            "Safe: nothing reads it any more\nNext: the same command when no run goes on"
        )
        return 1
    show.say("Not touched: the target systems, backups, Prefect's logs and pages.")
    return 0


def _nobody_runs(store: Store) -> None:
    from sqlalchemy import select

    from crosswalk.store.leases import gone
    from crosswalk.store.tables import LEASE

    with store.reading() as connection:
        rows = list(connection.execute(select(LEASE).where(LEASE.c.holder != "")))
    for row in rows:
        if row.expires_at > store.clock.now() and not gone(row.host, row.boot_id, row.pid):
            raise Busy(
                f"pid {row.pid} on {row.host} is running {row.scope}",
                safe="the store is as it was",
                next_command="stop the workers and wait for the run to end, then restore again",
            )


def _agreed(store: Store, file: Path) -> bool:
    if not sys.stdin.isatty():
        return False
    show.say(f"Everything in {_where(store)} will be replaced by {file}. Type yes to go on:")
    try:
        return input().strip().lower() == "yes"
    except EOFError:
        return False


def _where(store: Store) -> str:
    return store.engine.url.render_as_string(hide_password=True)
