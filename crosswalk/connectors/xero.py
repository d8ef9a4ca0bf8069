"""Xero, Accounting API 2.0: contacts, sales invoices, credit notes with allocations, payments and refund payments.

A create is a PUT, which refuses a number that exists; an update is a POST with the id, never without one. With
``summarizeErrors=false`` one bad member fails no batch; answers are matched by our own number, never by position.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from crosswalk.connectors import xero_answers, xero_check, xero_listing, xero_lookup
from crosswalk.connectors.base import (
    Answer,
    AuthWay,
    Check,
    Connector,
    Found,
    Frozen,
    Item,
    Key,
    Measure,
    Operation,
    Page,
    Resource,
    Result,
    Safe,
    Setting,
    System,
    Window,
    cut,
    setting,
)
from crosswalk.connectors.paging import Part, restarted
from crosswalk.connectors.wire import at, decode, instant, peek, render, rows
from crosswalk.connectors.xero_answers import Shape
from crosswalk.connectors.xero_webhooks import WEBHOOKS
from crosswalk.errors import Invalid, NotFound
from crosswalk.http.answer import SAFE, Repeat
from crosswalk.http.protocols import Quota
from crosswalk.schemas import xero as schema

API = "/api.xro/2.0"
BATCH, MAX_BYTES = 50, 3_500_000
PAGE = 1000
TOKEN = "https://identity.xero.com/connect/token"  # noqa: S105

# The key is remembered for six minutes. Absence counts two minutes after the last send: the longest that Xero was seen
# to work on a request that its caller had given up is not published, and its own gateway gives up before that.
KEYED = Key(life=360, lookup=True, settles_after=120)
EXACT = (("summarizeErrors", "false"), ("unitdp", "4"))


SHAPES: Mapping[str, Shape] = {
    "xero.contacts": Shape("Contacts", "ContactID", "ContactNumber", ids=True, read=(("includeArchived", "true"),)),
    "xero.invoices": Shape(
        "Invoices", "InvoiceID", "InvoiceNumber", 'Type=="ACCREC"', ids=True, read=(("unitdp", "4"),), write=EXACT
    ),
    "xero.credit_notes": Shape(
        "CreditNotes", "CreditNoteID", "CreditNoteNumber", 'Type=="ACCRECCREDIT"', read=(("unitdp", "4"),), write=EXACT
    ),
    "xero.payments": Shape("Payments", "PaymentID", "Reference", 'PaymentType=="ACCRECPAYMENT"'),
    "xero.refund_payments": Shape("Payments", "PaymentID", "Reference", 'PaymentType=="ARCREDITPAYMENT"'),
    "xero.allocations": Shape("CreditNotes", "CreditNoteID", list="Allocations"),
}

DOCUMENT = Measure("Date", "Total", "CurrencyCode", xero_listing.by_tax, own=True)
PAID = Measure("Date", "Amount", own=True)


def _document(path: str, marker: str) -> tuple[Operation, ...]:
    """An invoice or a credit note: money, so the target's own version is compared before it is changed."""
    return (
        Operation("create", KEYED, "PUT", f"{API}/{path}", BATCH, MAX_BYTES, marker),
        Operation("update", KEYED, "POST", f"{API}/{path}", BATCH, MAX_BYTES, marker, money=True),
        Operation("remove", KEYED, "POST", f"{API}/{path}", BATCH, MAX_BYTES, marker, money=True),
    )


_PAYMENT = (
    Operation("create", KEYED, "PUT", f"{API}/Payments", BATCH, MAX_BYTES, "Reference"),
    Operation("remove", KEYED, "POST", f"{API}/Payments/{{id}}", money=True),
)

RESOURCES = (
    Resource(
        schema.Contact,
        order="keyset",
        scopes=("accounting.contacts",),
        operations=(
            Operation("create", KEYED, "PUT", f"{API}/Contacts", BATCH, MAX_BYTES, "ContactNumber"),
            Operation("update", Safe(), "POST", f"{API}/Contacts", BATCH, MAX_BYTES, "ContactNumber"),
        ),
        matched_by="ContactNumber (create), ContactID (update)",
        found_by="ContactNumber",
        finds=("EmailAddress", "Name"),
        measure=Measure(),
    ),
    Resource(
        schema.Invoice,
        order="keyset",
        scopes=("accounting.invoices",),
        operations=_document("Invoices", "InvoiceNumber"),
        matched_by="InvoiceNumber (create), InvoiceID (update, remove)",
        found_by="InvoiceNumber",
        finds=("Reference",),
        measure=DOCUMENT,
    ),
    Resource(
        schema.CreditNote,
        order="keyset",
        scopes=("accounting.invoices",),
        operations=_document("CreditNotes", "CreditNoteNumber"),
        matched_by="CreditNoteNumber (create), CreditNoteID (update, remove)",
        found_by="CreditNoteNumber",
        finds=("Reference",),
        measure=DOCUMENT,
    ),
    Resource(
        schema.Payment,
        order="keyset",
        scopes=("accounting.payments",),
        operations=_PAYMENT,
        matched_by="Reference (create), PaymentID (remove)",
        found_by="Reference among the payments of its invoice",
        measure=PAID,
    ),
    Resource(
        schema.RefundPayment,
        order="keyset",
        scopes=("accounting.payments",),
        operations=_PAYMENT,
        matched_by="Reference (create), PaymentID (remove)",
        found_by="Reference among the payments of its credit note",
        measure=PAID,
    ),
    Resource(
        schema.Allocation,
        stream="none",
        scopes=("accounting.invoices",),
        operations=(Operation("create", KEYED, "PUT", f"{API}/CreditNotes/{{id}}/Allocations"),),
        matched_by="Invoice.InvoiceID; a request carries one note and one invoice",
        found_by="invoice and amount among the allocations of its credit note",
    ),
)

SYSTEM = System(
    name="xero",
    title="Xero",
    kind="accounting",
    version="2.0",
    url="https://api.xero.com",
    hosts=("api.xero.com", "identity.xero.com", "login.xero.com"),
    settings=(
        Setting("tenant", "id of the organisation, as `crosswalk connect` prints it; the account by default", False),
    ),
    auth=(
        AuthWay(
            "authorization code",
            ("client_id", "client_secret"),
            authorize_url="https://login.xero.com/identity/connect/authorize",
            token_url=TOKEN,
            revoke_url="https://identity.xero.com/connect/revocation",
            client_auth="basic",
            rotates=True,
            access_life=1800,
            refresh_life=60 * 86400,
            pkce=True,
            about="a web app; its redirect is http://localhost:PORT/callback (127.0.0.1 is not accepted)",
        ),
        AuthWay(
            "client credentials",
            ("client_id", "client_secret"),
            token_url=TOKEN,
            client_auth="basic",
            access_life=1800,
            about="a custom connection: one organisation in AU, NZ, UK or US, paid",
        ),
    ),
    quota=Quota(rate=60, burst=20, concurrent=5, daily=5000),
    quota_of="organisation",
    scopes=(
        "offline_access",
        "accounting.contacts",
        "accounting.invoices",
        "accounting.payments",
        "accounting.settings.read",
    ),
    resources={r.record.resource: r for r in RESOURCES},
    classify=xero_answers.classify,
    tell=xero_answers.tell,
    remarks=("An organisation on the Starter tier has 1,000 calls a day instead of 5,000.",),
    webhooks=WEBHOOKS,
)


class Xero(Connector):
    """One organisation."""

    system = SYSTEM
    _heard = False

    @property
    def tenant(self) -> str:
        return setting(self.connection, "tenant", self.connection.account)

    def accounts(self) -> dict[str, str]:
        found = decode(self.get("/connections", tenant=False).body)
        return {str(one.get("tenantId")): str(one.get("tenantName")) for one in found}

    def now(self) -> datetime:
        if not self._heard:
            # A key's life is counted on Xero's clock, which is unknown before the first answer.
            self.get("/connections", tenant=False)
        return self.client.vendor_now()

    # reading

    def get(
        self, path: str, params: Sequence[tuple[str, str]] = (), since: datetime | None = None, *, tenant: bool = True
    ) -> Answer:
        """A read. Raises NotFound and Invalid besides what the client raises."""
        headers = {"Accept": "application/json"}
        if tenant:
            headers["xero-tenant-id"] = self.tenant
        if since is not None:
            headers["If-Modified-Since"] = f"{since:%Y-%m-%dT%H:%M:%S}"
        answer = self.client.request("GET", path, params=dict(params), headers=headers, repeat=SAFE)
        self._heard = True
        if answer.status == 404:
            raise NotFound(f"Xero has no {path}", status=404)
        if answer.status == 400:
            raise Invalid(f"Xero refuses to read {path}: {xero_answers.detail(answer.body)}", status=400)
        return answer

    def read(self, resource: str, window: Window, resume: str | None = None) -> Iterator[Page]:
        shape = SHAPES[self.system.resource(resource).name]
        if shape.list:
            raise self._cannot(resource, "read")
        wanted = [*shape.read, ("order", "UpdatedDateUTC ASC"), ("pageSize", str(PAGE))]
        if shape.only:
            wanted.append(("where", shape.only))

        def ask(since: datetime | None, page: int) -> Part:
            answer = self.get(f"{API}/{shape.path}", [*wanted, ("page", str(page))], since)
            if answer.status == 304:
                return Part([], False, 0, self.client.vendor_now())
            records, rest = rows(answer.body, shape.path)
            told = rest.get("pagination")
            pages = told if isinstance(told, dict) else {}
            # A full page is followed whatever the count says: one too low would cut the listing.
            more = len(records) >= PAGE or page < int(pages.get("pageCount") or 0)
            return Part(records, more, pages.get("itemCount"), self.client.vendor_now())

        return restarted(ask, lambda raw: instant(peek(raw, "UpdatedDateUTC")), window, resume)

    def fetch(self, resource: str, ids: Sequence[str]) -> list[bytes]:
        return [found.body for found in self.current(resource, ids).values()]

    def current(self, resource: str, ids: Sequence[str]) -> dict[str, Found]:
        return xero_lookup.current(self, SHAPES[self.system.resource(resource).name], ids)

    def check(self) -> Check:
        return xero_check.check(self)

    # writing

    def batches(self, resource: str, op: str, items: Sequence[Item]) -> Iterator[list[Item]]:
        operation = self.operation(resource, op)
        sizes = [len(render(self._member(resource, op, i))) + 1 for i in items]
        return cut(items, sizes, [""] * len(items), operation)

    def freeze(self, resource: str, op: str, items: Sequence[Item]) -> Frozen:
        operation = self.operation(resource, op)
        shape = SHAPES[self.system.resource(resource).name]
        if not items or len(items) > operation.batch:
            raise ValueError(f"{resource} {op}: {len(items)} members, 1 to {operation.batch} are possible")
        members = [self._member(resource, op, i) for i in items]
        single = "{id}" in operation.path
        parent = at(items[0].payload, "CreditNote.CreditNoteID") if shape.list else items[0].target_id
        return Frozen(
            method=operation.verb,
            path=operation.path.replace("{id}", str(parent)),
            params=() if single and not shape.list else shape.write,
            headers=(("Accept", "application/json"), ("Content-Type", "application/json")),
            body=render(members[0] if single and not shape.list else {shape.rows: members}),
        )

    def send(
        self, resource: str, op: str, frozen: Frozen, *, key: str, repeat: Repeat, not_after: float | None = None
    ) -> Answer:
        if not 0 < len(key) <= 128:
            raise ValueError("Xero takes an Idempotency-Key of 1 to 128 characters")
        headers = {**dict(frozen.headers), "xero-tenant-id": self.tenant, "Idempotency-Key": key}
        return self.client.request(
            frozen.method,
            frozen.path,
            params=dict(frozen.params),
            headers=headers,
            content=frozen.body,
            repeat=repeat,
            not_after=not_after,
        )

    def read_answer(self, resource: str, op: str, items: Sequence[Item], answer: Answer) -> list[Result]:
        shape = SHAPES[self.system.resource(resource).name]
        return xero_answers.results(shape, op, items, answer)

    def look_up(self, resource: str, op: str, items: Sequence[Item]) -> list[Found | None]:
        return xero_lookup.look_up(self, SHAPES, self.system.resource(resource).name, op, items)

    def find(self, resource: str, field: str, values: Sequence[str]) -> dict[str, list[Found]]:
        facts = self.system.resource(resource)
        if field not in facts.finds:
            raise self._cannot(resource, f"find by {field}")
        return xero_lookup.find(self, SHAPES[facts.name], field, values)

    def standing(self, resource: str, first: date, past: date) -> Iterator[Found]:
        facts = self.system.resource(resource)
        if facts.measure is None:
            raise self._cannot(resource, "standing")
        return xero_listing.standing(self, SHAPES[facts.name], facts.measure.date, first, past)

    def _member(self, resource: str, op: str, item: Item) -> Mapping[str, Any]:
        """What is sent for one record."""
        shape = SHAPES[self.system.resource(resource).name]
        if shape.list:
            return {k: v for k, v in item.payload.items() if k != "CreditNote"}
        if op == "remove" and shape.path == "Payments":
            return {"Status": "DELETED"}
        if op == "remove":
            draft = item.payload.get("Status") in ("DRAFT", "SUBMITTED")
            return {shape.id: item.target_id, "Status": "DELETED" if draft else "VOIDED"}
        if op == "update":
            if not item.target_id:
                raise ValueError(f"{item.key}: an update without an id would create a second {resource}")
            return {**item.payload, shape.id: item.target_id}
        return item.payload


CONNECTOR = Xero
