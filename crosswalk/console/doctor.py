"""``crosswalk doctor``: whether a set-up is complete, and what to do about what is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from crosswalk.console import place, show
from crosswalk.console.doctor_line import FAIL, OK, WARN, Line
from crosswalk.errors import CrosswalkError

if TYPE_CHECKING:
    from crosswalk.runs.wiring import House
    from crosswalk.settings import Connection, Settings
    from crosswalk.store.engine import Store

ROOM = 1_000_000_000
LITTLE = 200_000_000
DAY = timedelta(days=1)


def register(app: App) -> None:
    app.command(doctor)


def doctor(*, online: bool = False, json_: Annotated[bool, Parameter(name="--json")] = False) -> int:
    """Examine the set-up: settings, store, Prefect, watch, heartbeat, channels, connections, webhooks, backup, disk and
    clock.

    Each line says ok, warn or fail and what to do. Ends with 1 when a line fails. A production set-up without a
    heartbeat, channels or a watch fails: when the whole machine dies, nobody would learn of it.

    Args:
        online: Also ask the connected systems whether the credentials hold.
        json_: Print JSON.
    """
    lines = list(examine(place.settings(), online=online))
    if json_:
        show.as_json([asdict(line) for line in lines])
    else:
        show.table(("", "examined", "what was found", "what to do"), [(x.state, x.what, x.said, x.todo) for x in lines])
        bad = sum(line.state == FAIL for line in lines)
        show.say(f"{bad} to mend." if bad else "Nothing has to be mended.")
    return 1 if any(line.state == FAIL for line in lines) else 0


@dataclass
class Patient:
    """What is examined. store: None where it cannot be opened."""

    settings: Settings
    house: House
    online: bool
    store: Store | None = None

    @property
    def real(self) -> bool:
        return self.settings.environment == "production"

    @property
    def lacks(self) -> str:
        """How grave it is that something is not there."""
        return FAIL if self.real else WARN

    @property
    def now(self) -> datetime:
        return self.house.clock.now()


def examine(settings: Settings, *, online: bool = False) -> Iterator[Line]:
    """Every line. What one part cannot look at is a failing line of its own."""
    from crosswalk.runs.wiring import House

    with closing(House(settings)) as house:
        patient = Patient(settings, house, online)
        for part in (
            _settings, _store, _prefect, _watch, _heartbeat, _channels, _connections, _webhooks, _backup, _disk, _clock,
        ):  # fmt: skip
            yield from _tried(part, patient)


def _tried(part: Callable[[Patient], Iterator[Line]], patient: Patient) -> Iterator[Line]:
    name = part.__name__.strip("_")
    try:
        yield from part(patient)
    except CrosswalkError as error:
        yield Line(name, FAIL, error.what, error.next_command)
    except Exception as error:  # noqa: BLE001 - what one part cannot look at must not hide the others
        yield Line(name, FAIL, f"could not be examined: {type(error).__name__}: {error}", "crosswalk doctor")


def _settings(patient: Patient) -> Iterator[Line]:
    settings = patient.settings
    said = f"environment {settings.environment}, {len(settings.connections)} connections, "
    yield Line("settings", OK, f"{said}{len(settings.bindings)} bindings, from {settings.home / 'crosswalk.toml'}")
    if not settings.bindings:
        yield Line("bindings", WARN, "there is none in this environment", "see docs/add-an-integration.md")
    for bound in settings.bindings.values():
        owner = place.integration(bound).owner
        if patient.real and bound.start is None:
            yield Line(f"binding {bound.name}", FAIL, "has no start", "add start to it in crosswalk.toml")
        if owner not in settings.owners:
            todo = f"add [owners.{owner}] to crosswalk.toml"
            yield Line(f"binding {bound.name}", WARN, f"its owner {owner} is not declared: every channel is told", todo)


def _store(patient: Patient) -> Iterator[Line]:
    from crosswalk.store import retention

    store = patient.house.store
    patient.store = store
    said = (
        f"{store.dialect}, migration {store.revision()}, epoch {store.epoch()}, whole since {show.when(store.since())}"
    )
    yield Line("store", OK, said)
    if patient.real and store.dialect == "sqlite":
        yield Line("store", WARN, "SQLite serves one machine", "CROSSWALK_STORE=postgresql+psycopg://...")
    last = retention.last_pruned(store)
    if last is None or patient.now - last > 2 * DAY:
        said = f"what is older than it is kept was taken out {show.when(last)}"
        yield Line("retention", WARN if patient.real else OK, said, "deploy upkeep, or crosswalk store prune")
    else:
        yield Line("retention", OK, f"last run {show.when(last)}")


def _prefect(patient: Patient) -> Iterator[Line]:
    from crosswalk.console.doctor_prefect import examine

    yield from examine(patient.settings, patient.now)


def _watch(patient: Patient) -> Iterator[Line]:
    from crosswalk.store import watching

    if patient.store is None:
        return
    last = watching.noted(patient.store, watching.LOOKED)
    todo = "crosswalk watch --once by a timer every minute; docs/what-watches-over-it.md"
    if last is None:
        yield Line("watch", patient.lacks, "nobody has looked yet", todo)
    elif patient.now - last > timedelta(minutes=15):
        yield Line("watch", patient.lacks, f"the last look was at {show.when(last)}", todo)
    else:
        yield Line("watch", OK, f"the last look was at {show.when(last)}")
    from crosswalk.store import incidents

    count = len(incidents.listing(patient.store, patient.settings.environment))
    if count:
        yield Line("incidents", WARN, f"{count} are open", "crosswalk incidents list")


def _heartbeat(patient: Patient) -> Iterator[Line]:
    from crosswalk.settings import resolve

    if not patient.settings.heartbeat:
        said = "there is none: when this machine dies, nobody learns of it"
        todo = '[watch] heartbeat = "env:CROSSWALK_HEARTBEAT" in crosswalk.toml; docs/what-watches-over-it.md'
        yield Line("heartbeat", patient.lacks, said, todo)
        return
    resolve(patient.settings.heartbeat, "the heartbeat of [watch]")
    calls = patient.house.journal.entries("connection = 'heartbeat' AND id > (SELECT max(id) - 100000 FROM request)")
    good = [call.at for call in calls if call.status is not None and call.status < 300]
    if good:
        yield Line("heartbeat", OK, f"last answered at {show.when(good[-1])}")
    else:
        yield Line("heartbeat", WARN, "set, and not answered yet from this machine", "crosswalk watch --once")


def _channels(patient: Patient) -> Iterator[Line]:
    from crosswalk.store import incidents_outbox

    settings = patient.settings
    if not settings.channels:
        todo = "add [channels.NAME] and name it under [owners.NAME]; docs/who-is-told.md"
        yield Line("channels", patient.lacks, "there is none: nobody is told of anything", todo)
        return
    broken: set[str] = set()
    if patient.store is not None:
        with patient.store.reading() as connection:
            broken = incidents_outbox.broken(connection)
    for name, channel in settings.channels.items():
        if name in broken:
            yield Line(f"channel {name}", FAIL, f"{channel.kind}, takes no messages", f"crosswalk alerts test {name}")
        else:
            yield Line(f"channel {name}", OK, channel.kind)
    if patient.real and len(settings.channels) == 1:
        yield Line("channels", WARN, "there is one: when it fails, nobody is told of that", "add a second one")


def _connections(patient: Patient) -> Iterator[Line]:
    for connection in patient.settings.connections.values():
        yield from _tried(lambda p, c=connection: _connection(p, c), patient)  # type: ignore[misc]


def _connection(patient: Patient, connection: Connection) -> Iterator[Line]:
    from crosswalk.connectors.connect import connector_class, way

    what = f"connection {connection.name}"
    try:
        for name in connection.secrets:
            connection.secret(name)
        flow = "its address"
        if connection.system not in ("database", "application"):
            one = way(connector_class(connection.system).system, connection)
            flow = one.flow
            if flow == "authorization code" and patient.house.around.tokens.read(connection.key) is None:
                yield Line(what, patient.lacks, "nobody has logged in", f"crosswalk connect {connection.name}")
                return
    except CrosswalkError as error:
        yield Line(what, FAIL, error.what, error.next_command)
        return
    if not patient.online or connection.system == "application":
        yield Line(what, OK, f"{connection.system}, by {flow}" + ("" if patient.online else "; not asked"))
        return
    yield from _asked(patient, connection, what)


def _asked(patient: Patient, connection: Connection, what: str) -> Iterator[Line]:
    todo = f"crosswalk connections check {connection.name}"
    try:
        if connection.system == "database":
            from sqlalchemy import text

            database: Any = patient.house.target(connection)
            with database.transaction() as open_:
                open_.execute(text("SELECT 1"))
            yield Line(what, OK, "answers")
            return
        found = patient.house.connector(connection).check()
    except CrosswalkError as error:
        yield Line(what, FAIL, error.what, error.next_command or todo)
        return
    wrong = [f"{item.what}: {item.detail}" for item in found.items if item.ok is False]
    unknown = [f"{item.what}: {item.detail}" for item in found.items if item.ok is None]
    if wrong:
        yield Line(what, FAIL, "; ".join(wrong), todo)
    elif unknown:
        state = WARN if any(item.ok for item in found.items) else FAIL
        yield Line(what, state, f"could not be looked at: {'; '.join(unknown)}", todo)
    else:
        yield Line(what, OK, "answers, and is fit for use")


def _webhooks(patient: Patient) -> Iterator[Line]:
    from crosswalk.watch import accounts
    from crosswalk.watch.finding import Look
    from crosswalk.webhooks.doors import doors

    names = sorted(doors(patient.settings))
    if not names or patient.store is None:
        return
    look = Look(patient.house, ask=patient.online)
    found = accounts.webhooks(look) + (accounts.subscriptions(look) if patient.online else [])
    for one in found:
        yield Line(f"webhooks of {one.trouble.connection}", WARN, one.trouble.what, one.trouble.command)
    if not patient.settings.receiver.get("address"):
        todo = 'write address = "https://..." under [receiver] in crosswalk.toml'
        yield Line("webhooks", patient.lacks, "nobody knows the receiver's public address", todo)
    if not found:
        yield Line("webhooks", OK, f"doors for {', '.join(names)}; nothing is missed")


def _backup(patient: Patient) -> Iterator[Line]:
    from crosswalk.store import watching

    if patient.store is None:
        return
    last = watching.noted(patient.store, watching.BACKED_UP)
    todo = "crosswalk store backup FILE daily; ignore this if the database is backed up by other means"
    state = WARN if patient.real else OK
    if last is None:
        yield Line("backup", state, "crosswalk store backup has not been run", todo)
    elif patient.now - last > DAY + timedelta(hours=2):
        yield Line("backup", state, f"the last was made at {show.when(last)}", todo)
    else:
        yield Line("backup", OK, f"the last was made at {show.when(last)}")


def _disk(patient: Patient) -> Iterator[Line]:
    import shutil

    free = shutil.disk_usage(patient.settings.home).free
    said = f"{free / 1e9:.1f} GB free at {patient.settings.home}"
    state = FAIL if free < LITTLE else WARN if free < ROOM else OK
    yield Line("disk", state, said, "" if state == OK else "free some space; crosswalk store prune")


def _clock(patient: Patient) -> Iterator[Line]:
    from crosswalk.watch import accounts
    from crosswalk.watch.finding import Look, Unknown

    if patient.store is None:
        return
    try:
        found = accounts.clocks(Look(patient.house))
    except Unknown as error:
        yield Line("clock", OK, error.what)
        return
    for one in found:
        yield Line("clock", FAIL, one.trouble.what, one.trouble.command)
    if not found:
        yield Line("clock", OK, "agrees with the systems that answered lately")
