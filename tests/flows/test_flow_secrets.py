"""R18: canary secrets planted wherever secrets live go through whole runs, and come out nowhere."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from canaries import SHAPES, Canaries, Wire, files
from cryptography.fernet import Fernet
from flow_kit import Folder

from crosswalk import prefect_run
from crosswalk.console import main
from crosswalk.http import redact
from crosswalk.prefect_server import Server

pytestmark = pytest.mark.prefect

BROKEN = """
[connections.broken]
system = "database"
account = "broken"
[connections.broken.secrets]
url = "env:CANARY_DATABASE"

[bindings.orders-to-broken]
integration = "shopify_orders_to_database"
source = "shop"
target = "broken"

[owners.finance]"""


class Logs(logging.Handler):
    """Everything that anybody logs, at DEBUG, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = io.StringIO()
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.text.write(self.format(record) + "\n")


@pytest.fixture
def logs() -> Iterator[Logs]:
    handler, root = Logs(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture
def planted(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Canaries:
    """The secrets of the settings and of the environment, accepted by the practice systems where they are used."""
    redact.forget_all()
    own = Canaries()
    control = folder.control
    scopes = ["read_orders", "read_all_orders", "read_customers", "read_products"]
    control.call("shopify.accounts.install", "canary-app", own.own("the shop's client secret"), scopes)
    control.set("sink.hook", "/services/T0/B0/" + own.own("the Slack hook"))
    text = (folder.path / "crosswalk.toml").read_text()
    hook = re.search(r'slack_webhook = "(.*?/services)', text)
    assert hook is not None
    monkeypatch.setenv("CANARY_SHOP", own.ours["the shop's client secret"])
    monkeypatch.setenv("CANARY_HOOK", f"{hook[1]}/T0/B0/{own.ours['the Slack hook']}")
    database = own.own("the database's password")
    monkeypatch.setenv("CANARY_DATABASE", f"postgresql://loader:{database}@127.0.0.1:9/gone")
    key = own.ours["the store's key"] = Fernet.generate_key().decode()
    monkeypatch.setenv("CROSSWALK_KEY", key)
    folder.change('"practice-shop-app"', '"canary-app"')
    folder.change('"practice-shop-secret"', '"env:CANARY_SHOP"')
    text = re.sub(
        r'slack_webhook = ".*"', 'slack_webhook = "env:CANARY_HOOK"', (folder.path / "crosswalk.toml").read_text()
    )
    (folder.path / "crosswalk.toml").write_text(text.replace("\n[owners.finance]", BROKEN, 1))
    own.ours["Xero's client secret"] = "practice-xero-secret"
    own.ours["Xero's first refresh token"] = folder.started.ready["credentials"]["xero"]["refresh_token"]
    for store in (folder.path / ".crosswalk").glob("store.db*"):
        store.unlink()  # it was begun under another key
    folder.house().close()
    return own


def test_r18_no_secret_comes_out_of_whole_runs(
    folder: Folder, server: Server, planted: Canaries, logs: Logs, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Runs that succeed, fail and hold, commands, alerts, pages: over 40 secrets were in play, and none is found."""
    wire = Wire()
    wire.tap(monkeypatch)
    shown = _everything(folder, planted)
    found = re.findall(rb'"(?:access|refresh)_token": ?"([^"]+)"', wire.back)
    assert len(found) >= 3
    planted.ours |= {f"token {n}": value.decode() for n, value in enumerate(dict.fromkeys(found))}
    _in_play(planted, wire, folder)
    out, err = capfd.readouterr()
    messages = folder.control.messages()
    assert len(messages) >= 3
    places: dict[str, bytes] = {
        "the logs": logs.text.getvalue().encode(), "standard output": out.encode(), "standard error": err.encode(),
        "the alerts": json.dumps(messages).encode(), "what the runs ended with": "\n".join(shown).encode(),
    }  # fmt: skip
    places |= dict(files(folder.path / ".crosswalk", Path(server.environment["PREFECT_HOME"])))
    assert any(name.endswith("journal.db") for name in places) and any(".gz" in name for name in places)
    assert any(b"account-orders" in content for content in places.values()), "no artifact was looked at"
    leaks = {name: inside for name, content in places.items() if (inside := planted.inside(content))}
    assert leaks == {}


def _everything(folder: Folder, planted: Canaries) -> list[str]:
    """Runs and commands in which every canary is used or answered; what they ended with."""
    control = folder.control
    ended = [str(prefect_run.run("customers").message)]
    refusal = {"ErrorNumber": 10, "Type": "ValidationException", "Message": planted.words("a refusal")}
    control.add_fault(
        "xero", "status", method="PUT", path="*/Invoices*", status=400, body=json.dumps(refusal), times=60
    )
    ended.append(str(prefect_run.run("orders").message))
    control.clear_faults()
    ended.append(str(prefect_run.run("orders-to-database").message))
    main.run(["run", "orders-to-broken", "--bare", "--debug"])
    words = planted.words("a query's error")
    answer = json.dumps({"errors": [{"message": words, "extensions": {"code": "ACCESS_DENIED"}}]})
    headers = {"content-type": "application/json", "set-cookie": f"session={planted.own('a cookie')}",
               "x-auth-token": planted.own("a header of an answer")}  # fmt: skip
    control.add_fault("shopify", "status", path="*graphql*", status=200, body=answer, headers=headers)
    for command in (["run", "customers", "--bare", "--debug"], ["connections", "check", "shop"]):
        main.run(command)
    ended.append(str(prefect_run.run("customers").message))
    control.clear_faults()
    words = planted.words("an error of the identity service")
    body = json.dumps({"error": "invalid_client", "error_description": words})
    control.add_fault("xero", "status", path="/api.xro/*", status=401, body=planted.words("a 401"))
    control.add_fault("xero", "status", path="/connect/token", status=400, body=body)
    main.run(["connections", "check", "books"])
    ended.append(str(prefect_run.run("customers").message))
    control.clear_faults()
    control.add_fault("xero", "status", path="/api.xro/*", status=403, body=f"<pre>{planted.words('a fault')}</pre>")
    for command in (
        ["connections", "check", "books"],
        ["held", "list"], ["held", "list", "orders"], ["run", "orders", "--bare", "--dry-run"], ["plan", "orders"],
        ["status"], ["journal"], ["state", "show", "orders"], ["connections", "list"], ["store", "check"],
    ):  # fmt: skip
        main.run(command)
    control.clear_faults()
    return ended


def _in_play(planted: Canaries, wire: Wire, folder: Folder) -> None:
    """Every canary was really used: it went out, or came in, or is what opened something."""
    passed = planted.inside(wire.out + wire.back)
    elsewhere = {"the Slack hook", "the database's password", "the store's key"}
    assert set(planted.all) - set(passed) <= elsewhere, set(planted.all) - set(passed)
    assert folder.control.messages(), "nothing arrived at the hook"
    assert len(planted.all) >= 40 and len(planted.theirs) == 5 * len(SHAPES)
