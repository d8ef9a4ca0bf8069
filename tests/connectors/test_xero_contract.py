"""Every request that the connector makes of Xero, and every answer it reads, is valid by the vendor's own file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from book_rows import allocation, contact, invoice, line, made, note, payment, refund_payment, with_id, write
from contract import openapi
from practice_systems import Systems

from crosswalk.connectors.base import Window
from crosswalk.connectors.xero import API, RESOURCES, Xero
from crosswalk.http.answer import Answer

pytestmark = pytest.mark.contract


class Watched:
    """A client that holds every request and answer against the vendor's file."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.wrong: list[str] = []
        self.seen: set[tuple[str, str]] = set()

    def request(self, method: str, path: str, **sent: Any) -> Answer:
        answer: Answer = self.client.request(method, path, **sent)
        if path.startswith(API):
            params, headers, body = sent.get("params") or {}, sent.get("headers") or {}, sent.get("content")
            headers = {**headers, **({"Content-Type": "application/json"} if body else {})}
            found = openapi.check_request(method, path, params, headers, body)
            found += openapi.check_answer(method, path, answer.status, answer.headers, answer.body)
            self.wrong += [f"{method} {path} {answer.status}: {problem}" for problem in found]
            self.seen.add((method, path.removeprefix(API).split("/")[1]))
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)


def whole_life(xero: Xero) -> None:
    """Every operation, every look-up, every read."""
    one = made(
        xero,
        "xero.contacts",
        contact(1, EmailAddress="anna@example.test", Phones=[{"PhoneType": "MOBILE", "PhoneNumber": "6"}]),
    )
    write(xero, "xero.contacts", [with_id(contact(1), one, FirstName="Anna")], "update")
    bills = [made(xero, "xero.invoices", invoice(n, one, LineItems=[line(TaxAmount=17)])) for n in (1, 2)]
    write(xero, "xero.invoices", [with_id(invoice(1, one), bills[0], Reference="#1001")], "update")
    write(xero, "xero.invoices", [with_id(invoice(2, one), bills[1])], "remove")
    credit = made(xero, "xero.credit_notes", note(1, one))
    write(xero, "xero.credit_notes", [with_id(note(1, one), credit, Reference="#1001")], "update")
    paid = made(xero, "xero.payments", payment(1, bills[0], "40.00"))
    write(xero, "xero.allocations", [allocation(credit, bills[0], "60.00")])
    back = made(xero, "xero.refund_payments", refund_payment(2, credit, "40.00"))
    items = {
        "xero.contacts": (contact(1), one),
        "xero.invoices": (invoice(1, one), bills[0]),
        "xero.credit_notes": (note(1, one), credit),
        "xero.payments": (payment(1, bills[0]), paid),
        "xero.refund_payments": (refund_payment(2, credit), back),
        "xero.allocations": (allocation(credit, bills[0], "60.00"), f"{credit}:{bills[0]}"),
    }
    assert set(items) == {r.name for r in RESOURCES}
    for resource, (item, target_id) in items.items():
        [found] = xero.look_up(resource, "create", [item])
        assert found is not None and found.target_id == target_id, resource
        assert list(xero.current(resource, [target_id])) == [target_id]
        if resource != "xero.allocations":
            window = Window(xero.clock.now() - timedelta(days=1), xero.clock.now() + timedelta(days=1))
            assert [len(page.records) for page in xero.read(resource, window)]
    write(xero, "xero.payments", [with_id(payment(1, bills[0]), paid)], "remove")
    write(xero, "xero.contacts", [contact(1), contact(3, "Other")], key="refused in part")
    assert xero.check().ok


def test_every_request_and_answer_is_valid(systems: Systems) -> None:
    """Addresses, parameters, headers, bodies and the answers to them, over all operations."""
    xero = systems.xero()
    watched = Watched(xero.client)
    xero.client = watched  # type: ignore[assignment]
    whole_life(xero)
    assert watched.wrong == []
    assert len(watched.seen) >= 11
