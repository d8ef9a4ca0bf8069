"""What an operator can get wrong, and what the world can: each a clear error, and nothing lost.

Each error names what and where, what is safe, and the next command. Afterwards the cause is mended and the same command
delivers everything.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from console_kit import Folder, Ran
from cryptography.fernet import Fernet
from sqlalchemy import Engine, event, text

from crosswalk.clock import SystemClock
from crosswalk.http.journal import Bodies
from crosswalk.runs import wiring

MAPPINGS = Path(__file__).parents[2] / "mappings"
SECRET = "a-very-secret-secret-4711"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between tries are left out."""
    monkeypatch.setattr(SystemClock, "sleep", lambda self, seconds: None)


def nothing_lost(folder: Folder) -> None:
    """The cause is mended: now everything is delivered, nothing twice."""
    for binding in ("customers", "orders"):
        folder.good("run", binding, "--bare")
    states = {
        one["binding"]: one["states"] for one in json.loads(folder.cw("status", "--json").out)
    }  # fmt: skip
    assert states["customers"] == {"applied": 23, "held": 2}
    assert states["orders"] == {"applied": 45, "held": 2, "parked": 1, "skipped": 3}
    numbers = [i["number"] for i in folder.control.effects()["invoices"]]
    assert len(numbers) == len(set(numbers)) == 22


def run(folder: Folder, binding: str = "orders") -> Ran:
    return folder.cw("run", binding, "--bare")


# settings


def test_no_settings_at_all(folder: Folder) -> None:
    """In a folder without crosswalk.toml every command says so and where it looked."""
    empty = folder.path.parent / "empty"
    empty.mkdir()
    folder.patch.chdir(empty)
    for command in (["list"], ["status"], ["run", "orders"], ["store", "check"], ["held", "list"]):
        folder.cw(*command).told("no crosswalk.toml in", str(empty), code=2)
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('account = "practice-shop.myshopify.com"\n', "", "connections.shop lacks 'account'"),
        ('zone = "Europe/Amsterdam"', 'zone = "Europe/Atlantis"', "the zone 'Europe/Atlantis', which is unknown"),
        ('source = "shop"', 'source = "shoe"', "names the source connection 'shoe', which is not declared"),
        ("[connections.shop]", "[connections.shop", "crosswalk.toml cannot be read"),
        ('target = "books"', 'target = "books"\nstart = "2026-01-01T00:00:00"', "start carries no zone"),
        ("minute = 0.2", "minutes = 0.2", "quota holds"),
    ],
)
def test_settings_that_do_not_fit(folder: Folder, old: str, new: str, said: str) -> None:
    """The setting is named, and where it stands."""
    before = (folder.path / "crosswalk.toml").read_text()
    folder.edit(old, new)
    ran = run(folder)
    assert ran.code == 2 and said in ran.err and "Next: " in ran.err and "Traceback" not in ran.err, ran.text
    (folder.path / "crosswalk.toml").write_text(before)
    nothing_lost(folder)


def test_a_secret_that_is_not_set(folder: Folder) -> None:
    """A secret named by an environment variable that is not set: the variable and what it is for."""
    folder.edit('client_secret = "practice-shop-secret"', 'client_secret = "env:SHOP_SECRET"')
    run(folder).told("the secret 'client_secret' of connection 'shop'", "export SHOP_SECRET=", code=2)
    folder.patch.setenv("SHOP_SECRET", "practice-shop-secret")
    nothing_lost(folder)


def test_a_connection_without_credentials(folder: Folder) -> None:
    """Every way in which the system takes credentials is named."""
    folder.edit('client_id = "practice-shop-app"\nclient_secret = "practice-shop-secret"\n', "")
    run(folder).told("no complete credentials for Shopify", "static token (access_token)", code=2)


def test_an_environment_that_does_not_exist(folder: Folder) -> None:
    """CROSSWALK_ENV is one of three."""
    folder.patch.setenv("CROSSWALK_ENV", "prod")
    ran = run(folder)
    assert ran.code == 2 and "sandbox, staging, production" in ran.err and "Next: export CROSSWALK_ENV" in ran.err


def test_production_has_no_store_by_default(folder: Folder) -> None:
    """Outside the sandbox the store's address and the key must be given."""
    folder.patch.setenv("CROSSWALK_ENV", "production")
    folder.cw("status").told("CROSSWALK_STORE is not set", code=2)
    folder.patch.setenv("CROSSWALK_STORE", f"sqlite:///{folder.path / 'own.db'}")
    folder.cw("store", "migrate").told("CROSSWALK_KEY is not set", code=2)
    folder.patch.setenv("CROSSWALK_KEY", "short")
    folder.cw("store", "migrate").told("CROSSWALK_KEY is not a key", code=2)


# names


@pytest.mark.parametrize(
    ("command", "said", "hint"),
    [
        (["run", "nope"], "there is no binding 'nope'", "crosswalk list"),
        (["status", "nope"], "there is no binding 'nope'", "crosswalk list"),
        (["plan", "nope"], "there is no binding 'nope'", "crosswalk list"),
        (["held", "list", "nope"], "there is no binding 'nope'", "crosswalk list"),
        (["held", "retry", "nope"], "there is no binding 'nope'", "crosswalk list"),
        (["state", "show", "nope"], "there is no binding 'nope'", "crosswalk list"),
        (["connect", "nope"], "there is no connection 'nope'", "crosswalk connections list"),
        (["connections", "check", "nope"], "there is no connection 'nope'", "crosswalk connections list"),
    ],
)
def test_names_that_do_not_exist(folder: Folder, command: list[str], said: str, hint: str) -> None:
    """What is there is listed, and the command that shows it."""
    folder.cw(*command).told(said, hint, "known: ", code=2)


def test_an_integration_that_does_not_exist(folder: Folder) -> None:
    """A binding of an unknown integration is told by every command that meets it; the others still run."""
    folder.edit('integration = "shopify_orders_to_database"', 'integration = "shopify_orders_to_nowhere"')
    for command in (["run", "orders-to-database"], ["plan", "orders-to-database"]):
        folder.cw(*command).told("there is no integration 'shopify_orders_to_nowhere'", "crosswalk list", code=2)
    listed = folder.cw("list")
    assert listed.code == 1 and "orders-to-database" in listed.err and " orders " in listed.out
    standing = folder.cw("status", "orders-to-database")
    assert standing.code == 1 and "there is no integration" in standing.out
    nothing_lost(folder)


# the other side


def test_wrong_credentials(folder: Folder) -> None:
    """The connection is named; the secret is not shown anywhere; the cursor stays."""
    folder.edit("practice-shop-secret", SECRET)
    ran = run(folder)
    ran.told("crosswalk connections check shop")
    checked = folder.cw("connections", "check", "shop")
    assert checked.code == 1 and "WRONG" in checked.out
    standing = folder.cw("status", "orders")
    assert standing.code == 1 and "the last run failed: BadCredentials" in standing.out
    journal = folder.good("journal", "--failed")
    debug = folder.cw("run", "orders", "--bare", "--debug")
    for shown in (ran, checked, standing, debug):
        assert SECRET not in shown.text
    assert SECRET not in journal
    files = [f for f in folder.path.rglob("*") if f.is_file() and f.name != "crosswalk.toml"]
    assert not any(SECRET.encode() in f.read_bytes() for f in files)
    folder.edit(SECRET, "practice-shop-secret")
    nothing_lost(folder)


def test_a_host_that_cannot_be_reached(folder: Folder) -> None:
    """Which connection, that nothing was sent, and how to look; the cursor stays."""
    there = folder.practice.addresses["shopify"]
    folder.edit(f'url = "{there}"', 'url = "http://127.0.0.1:9"')
    said = run(folder).out
    assert "orders: stopped" in said and "shop is away" in said and "127.0.0.1:9" in said and "cursor stays" in said
    checked = folder.cw("connections", "check", "shop")
    assert "unknown" in checked.out and "127.0.0.1:9" in checked.out
    folder.edit('url = "http://127.0.0.1:9"', f'url = "{there}"')
    folder.cw("connections", "check", "shop")
    nothing_lost(folder)


def test_a_target_that_cannot_be_reached_keeps_what_is_wanted(folder: Folder) -> None:
    """The source is read and planned, what cannot be sent waits, and the next run sends it once."""
    folder.good("run", "customers", "--bare")
    there = folder.practice.addresses["xero"]
    folder.edit(f'url = "{there}"', 'url = "http://127.0.0.1:9"')
    ran = run(folder)
    assert ran.code == 0 and "orders: queued" in ran.out and "books is away" in ran.out, ran.text
    folder.edit('url = "http://127.0.0.1:9"', f'url = "{there}"')
    folder.cw("connections", "check", "books")
    nothing_lost(folder)


def test_a_required_field_that_vanished(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A required field that the source no longer sends fails the run before anything is written, and is named."""
    monkeypatch.setattr(wiring, "Bodies", partial(Bodies, brief=64 * 1024))
    folder.good("run", "customers", "--bare")
    some = ",".join(folder.control.ids("orders")[3:6])
    folder.good("run", "orders-to-database", "--bare", "--ids", some)
    with folder.house() as house:
        bodies = [house.journal.body(e)[1] for e in house.journal.entries("url LIKE ?", ("%graphql%",))]
    page = next(json.loads(b) for b in bodies if b.startswith('{"data":{"nodes":[{'))
    for node in page["data"]["nodes"]:
        del node["currencyCode"]
    folder.control.add_fault("shopify", "status", contains="nodes(ids", status=200, body=json.dumps(page),
                             headers={"Content-Type": "application/json"})  # fmt: skip
    folder.cw("run", "orders", "--bare", "--ids", some).told(
        "The required field currencyCode is missing in every record"
    )
    assert folder.control.effects()["invoices"] == []
    folder.control.clear_faults()
    nothing_lost(folder)


def test_a_field_that_the_source_s_schema_no_longer_has(folder: Folder) -> None:
    """When the source refuses our question since a field is gone, its own words are told, and nothing is written."""
    folder.good("run", "customers", "--bare")
    answer = {"errors": [{"message": "Field 'processedAt' doesn't exist on type 'Order'",
                          "extensions": {"code": "undefinedField", "fieldName": "processedAt"}}]}  # fmt: skip
    folder.control.add_fault("shopify", "status", contains="orders(", status=200, body=json.dumps(answer),
                             headers={"Content-Type": "application/json"})  # fmt: skip
    ran = run(folder)
    assert ran.code == 1 and "Field 'processedAt' doesn't exist" in ran.err and "Traceback" not in ran.err, ran.text
    assert folder.control.effects()["invoices"] == []
    folder.control.clear_faults()
    nothing_lost(folder)


def test_an_empty_source(folder: Folder) -> None:
    """A source without records is a good run that says so; one that has become empty takes nothing away."""
    said = folder.good("run", "orders", "--bare", "--since", "2020-01-01T00:00:00Z", "--until", "2020-01-02T00:00:00Z")
    assert "0 read" in said and "0 parts: nothing" in said
    nothing_lost(folder)
    before = folder.control.effects()
    for order in folder.control.ids("orders"):
        folder.control.delete("orders", order)
    assert "0 read" in folder.good("run", "orders", "--bare", "--since", "2026-01-01T00:00:00Z")
    assert folder.control.effects() == before


# value tables


def own_tables(folder: Folder, change: Callable[[str], str | bytes], name: str = "order_status.csv") -> None:
    """The orders use tables of their own, of which one went through somebody's hands."""
    target = folder.path / "own"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(MAPPINGS / "tables", target)
    made = change((target / name).read_text(encoding="utf-8"))
    (target / name).write_bytes(made if isinstance(made, bytes) else made.encode("utf-8"))
    toml = folder.path / "crosswalk.toml"
    if "tables" not in toml.read_text():
        old = 'integration = "shopify_orders_to_xero_invoices"'
        folder.edit(old, f'{old}\ntables = "own"')


def excel(text: str) -> bytes:
    """As a spreadsheet of a country with decimal commas saves a table: mark, semicolons, blanks, empty rows."""
    out = io.StringIO()
    rows = [[cell + " " for cell in row] for row in csv.reader(io.StringIO(text))]
    csv.writer(out, delimiter=";").writerows([*rows, ["", "", ""], []])
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8")


def test_a_table_saved_by_a_spreadsheet_means_the_same(folder: Folder) -> None:
    """Byte-order mark, semicolons, blanks, Windows line ends and empty rows change nothing."""
    own_tables(folder, excel)
    nothing_lost(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.replace("PAID,AUTHORISED", "PAID,#N/A", 1), "#N/A"),
        (lambda t: t.replace("PAID,", "1-Feb,", 1), "1-Feb"),
        (lambda t: t.replace(",reason", ",why", 1), "reason"),
        (lambda t: t.replace("PENDING,AUTHORISED,the sale is made; the money is still due", "PENDING,AUTHORISED,", 1),
         "line 4: the reason is empty"),
        (lambda t: t + "PAID,DRAFT,somebody else's opinion\n", "PAID"),
        (lambda t: "", "order_status.csv"),
        (lambda t: t.encode("utf-16"), "order_status.csv"),
    ],
    ids=["error cell", "date", "no column for reasons", "no reason", "two opinions", "empty file", "another encoding"],
)  # fmt: skip
def test_a_table_that_a_spreadsheet_damaged(folder: Folder, change: Callable[[str], str | bytes], said: str) -> None:
    """File, line and value are named; nothing is written, and the run goes through when the table is mended."""
    folder.good("run", "customers", "--bare")
    own_tables(folder, change)
    ran = run(folder)
    assert ran.code == 1 and "order_status.csv" in ran.err and said in ran.err, ran.text
    assert "Traceback" not in ran.err and "foresaw" not in ran.err
    assert folder.control.effects()["invoices"] == []
    own_tables(folder, lambda t: t)
    nothing_lost(folder)


# the store


def test_a_newer_store(folder: Folder) -> None:
    """A store that a newer release wrote is neither read nor written; the release is what has to change."""
    folder.good("run", "customers", "--bare")
    with folder.house() as house, house.store.transaction("test") as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for command in (["run", "orders", "--bare"], ["status"], ["store", "migrate"], ["held", "list"], ["list"]):
        folder.cw(*command).told("a newer one wrote it", "install the newer release")


def test_an_older_store_outside_the_sandbox(folder: Folder) -> None:
    """Outside the sandbox an empty or older store is brought up by a person, never by itself."""
    folder.patch.setenv("CROSSWALK_ENV", "staging")
    folder.patch.setenv("CROSSWALK_STORE", f"sqlite:///{folder.path / 'own.db'}")
    folder.patch.setenv("CROSSWALK_KEY", Fernet.generate_key().decode())
    folder.cw("store", "check").told("the store is empty", "crosswalk store migrate")
    folder.good("store", "migrate")
    folder.good("store", "check")


def test_a_wrong_key(folder: Folder) -> None:
    """With another key the store is neither read nor written; several keys, the old one among them, open it."""
    folder.good("run", "customers", "--bare")
    key = Fernet.generate_key().decode()
    folder.patch.setenv("CROSSWALK_KEY", key)
    for command in (["run", "orders", "--bare"], ["status"], ["connections", "list"]):
        ran = folder.cw(*command)
        ran.told("is not the key that this store was written with", code=2)
        assert key not in ran.text
    from crosswalk.store.vault import PRACTICE_KEY

    folder.patch.setenv("CROSSWALK_KEY", f"{key},{PRACTICE_KEY}")
    nothing_lost(folder)


def test_a_store_that_is_away(folder: Folder) -> None:
    """A database that cannot be reached is named without its password."""
    folder.patch.setenv("CROSSWALK_STORE", f"postgresql+psycopg://crosswalk:{SECRET}@127.0.0.1:9/crosswalk")
    for command in (["status"], ["run", "orders", "--bare"], ["store", "check"]):
        ran = folder.cw(*command)
        ran.told("the store cannot be reached", "CROSSWALK_STORE")
        assert SECRET not in ran.text


def test_a_store_that_is_no_database(folder: Folder) -> None:
    """An address that is none, and one of another kind of database."""
    folder.patch.setenv("CROSSWALK_STORE", "somewhere")
    assert "is no database address" in folder.cw("status").err
    folder.patch.setenv("CROSSWALK_STORE", "mysql://root@localhost/x")
    assert "SQLite or PostgreSQL, not in mysql" in folder.cw("status").err


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], None]]:
    """SQLite may grow a database by so many pages and no more, as on a disk that is nearly full."""
    limits: list[int] = []

    def limit(connection: object, _: object) -> None:
        if limits:
            cursor = connection.cursor()  # type: ignore[attr-defined]
            pages = cursor.execute("PRAGMA page_count").fetchone()[0]
            cursor.execute(f"PRAGMA max_page_count={pages + limits[-1]}")
            cursor.close()

    event.listen(Engine, "connect", limit)
    yield lambda pages: limits.append(pages) if pages >= 0 else limits.clear()
    event.remove(Engine, "connect", limit)


@pytest.mark.parametrize("pages", [0, 4, 12])
def test_a_disk_that_is_full(folder: Folder, small_disk: Callable[[int], None], pages: int) -> None:
    """Wherever the store can no longer grow, the run stops and says so; with space again nothing is lost or doubled."""
    small_disk(pages)
    for binding in ("customers", "orders"):
        ran = folder.elsewhere("run", binding, "--bare")
        if ran.code:
            assert "the disk of the store is full" in ran.err and "free some space" in ran.err, ran.text
            assert "Safe: what was committed" in ran.err and "Traceback" not in ran.err
            break
    else:
        pytest.fail("the disk was large enough")
    small_disk(-1)
    nothing_lost(folder)


def test_a_journal_that_cannot_be_kept(folder: Folder) -> None:
    """Without a journal nothing is sent: the file is named."""
    state = folder.path / ".crosswalk"
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (state / name).unlink(missing_ok=True)
    (state / "journal.db").mkdir()
    folder.control.forget_requests()
    run(folder).told("journal.db", "crosswalk store check")
    assert folder.control.counts()["shopify"]["total"] == 0
    (state / "journal.db").rmdir()
    nothing_lost(folder)


# Prefect


def test_a_prefect_server_that_is_named_and_away(folder: Folder) -> None:
    """A server that is named must answer: a run without its page would be a surprise. --bare runs without."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        for command in (["run", "orders"], ["deploy"]):
            folder.cw(*command).told("the Prefect server at http://127.0.0.1:9/api does not answer", "--bare", code=2)
        nothing_lost(folder)


def test_no_prefect_server_anywhere(folder: Folder) -> None:
    """Where none is named and none answers, a run goes on and says that it has no page; deploying is refused."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    toml = folder.path / "crosswalk.toml"
    toml.write_text('prefect_ui = "http://127.0.0.1:9"\n' + toml.read_text())
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        ran = folder.cw("run", "customers")
        assert ran.code == 0 and "No Prefect server answers at http://127.0.0.1:9" in ran.err
        folder.cw("deploy").told("no Prefect server answers", "prefect server start", code=2)


def test_the_practice_shop_answers(folder: Folder) -> None:
    """The practice systems that these tests stand on are up: none of the errors above comes from their absence."""
    with urllib.request.urlopen(folder.practice.addresses["control"] + "/_control", timeout=10) as answer:
        assert answer.status == 200
