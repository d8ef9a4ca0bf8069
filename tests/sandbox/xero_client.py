"""A plain caller of the practice Xero for its tests: no HTTP library, the application is called as a server would."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from crosswalk.sandbox.xero import CLIENT_ID, Organisation, create
from crosswalk.sandbox.xero.grants import DEFAULT_SCOPES

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class TestClock:
    """Stands still until it is moved."""

    __test__ = False

    def __init__(self) -> None:
        self.instant = START

    def now(self) -> datetime:
        return self.instant

    def boot(self) -> float:
        return self.instant.timestamp()

    def sleep(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


@dataclass
class Got:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body, parse_float=Decimal)


class Xero:
    """An organisation, its clock and a caller with a token."""

    def __init__(self, scopes: str = DEFAULT_SCOPES, client_id: str = CLIENT_ID, **settings: Any) -> None:
        settings.setdefault("period_lock", date(2026, 6, 30))
        self.org = Organisation(**settings)
        self.org.limits.minute = 100_000
        self.clock = TestClock()
        self.app = create(self.org, self.clock)
        self.token = self.org.access_token(scopes, client_id)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes = b"", query: str = "") -> Got:
        return asyncio.run(call(self.app, method, path, headers, body, query))

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        token: str | None = None,
        **query: str,
    ) -> Got:
        """An API request as a well-behaved client makes it."""
        sent = {
            "authorization": f"Bearer {token or self.token}",
            "xero-tenant-id": self.org.tenant_id,
            "accept": "application/json",
            "content-type": "application/json",
            **(headers or {}),
        }
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {k: v for k, v in sent.items() if v}
        return self.send(method, f"/api.xro/2.0{path}", sent, raw, urlencode(query))

    def form(self, path: str, form: dict[str, str], headers: dict[str, str] | None = None) -> Got:
        sent = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
        return self.send("POST", path, sent, urlencode(form).encode())

    def wait(self, seconds: float) -> None:
        """Let time pass, and take a fresh token."""
        self.clock.sleep(seconds)
        self.token = self.org.access_token()

    def contact(self, name: str = "Ng Trading", **fields: Any) -> str:
        got = self.call("PUT", "/Contacts", {"Contacts": [{"Name": name, **fields}]})
        assert got.status == 200, got.text
        return str(got.json["Contacts"][0]["ContactID"])

    def invoice(self, contact_id: str | None = None, **fields: Any) -> dict[str, Any]:
        got = self.call("PUT", "/Invoices", {"Invoices": [invoice(contact_id or self.some_contact(), **fields)]})
        assert got.status == 200, got.text
        return dict(got.json["Invoices"][0])

    def note(self, contact_id: str | None = None, **fields: Any) -> dict[str, Any]:
        got = self.call("PUT", "/CreditNotes", {"CreditNotes": [note(contact_id or self.some_contact(), **fields)]})
        assert got.status == 200, got.text
        return dict(got.json["CreditNotes"][0])

    def pay(self, invoice_id: str, amount: float, **fields: Any) -> Got:
        return self.call("PUT", "/Payments", {"Payments": [payment(invoice_id, amount, **fields)]})

    def some_contact(self) -> str:
        held = self.org.books.contact_named("Ng Trading")
        return held.id if held else self.contact()


def invoice(contact_id: str, **fields: Any) -> dict[str, Any]:
    """100.00 net at 21 %, approved; a field that is None is left out."""
    found = {
        "Type": "ACCREC",
        "Contact": {"ContactID": contact_id},
        "Date": "2026-11-20",
        "DueDate": "2026-12-20",
        "Status": "AUTHORISED",
        "LineItems": [line()],
        **fields,
    }
    return {k: v for k, v in found.items() if v is not None}


def note(contact_id: str, **fields: Any) -> dict[str, Any]:
    """The credit of such an invoice."""
    found = invoice(contact_id, **{"Type": "ACCRECCREDIT", **fields})
    found.pop("DueDate", None)
    return found


def line(**fields: Any) -> dict[str, Any]:
    return {
        "Description": "Course",
        "Quantity": 1,
        "UnitAmount": 100,
        "AccountCode": "4020",
        "TaxType": "TAX001",
        **fields,
    }


def payment(invoice_id: str, amount: float, **fields: Any) -> dict[str, Any]:
    found = {
        "Invoice": {"InvoiceID": invoice_id},
        "Account": {"Code": "1010"},
        "Date": "2026-11-21",
        "Amount": amount,
        **fields,
    }
    return {k: v for k, v in found.items() if v is not None}


def messages(element: dict[str, Any]) -> list[str]:
    return [e["Message"] for e in element["ValidationErrors"]]


def errors(got: Got) -> list[str]:
    """The messages of a whole request that was refused."""
    assert got.status == 400, got.text
    return [m for element in got.json["Elements"] for m in messages(element)]


async def call(app: Any, method: str, path: str, headers: dict[str, str], body: bytes, query: str) -> Got:
    """One request through the ASGI interface."""
    from urllib.parse import unquote

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
    got: dict[str, Any] = {"body": b""}
    arriving = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return arriving.pop(0) if arriving else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            got["status"] = message["status"]
            got["headers"] = {k.decode().lower(): v.decode() for k, v in message["headers"]}
        else:
            got["body"] += message.get("body", b"")

    await app(scope, receive, send)
    return Got(got["status"], got["headers"], got["body"])
