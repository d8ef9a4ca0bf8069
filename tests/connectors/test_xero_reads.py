"""Reading from Xero, its refusals and its check; against the practice Xero over a real socket."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from book_rows import contact, invoice, made, note, payment, refund_payment, write
from practice_systems import Systems

from crosswalk.connectors import xero as connector
from crosswalk.connectors.base import Check, Page, Window
from crosswalk.connectors.paging import Part, restarted
from crosswalk.errors import AccessDenied, BadCredentials, FilterIgnored, Invalid, ServerFault, SettingsError
from crosswalk.frames.parse import parse
from crosswalk.http.protocols import Token
from crosswalk.sandbox.faults import Rule
from crosswalk.schemas import xero as schema


def names(pages: list[Page]) -> list[str]:
    return [json.loads(raw)["Name"] for page in pages for raw in page.records]


def detail(check: Check, what: str) -> tuple[bool | None, str]:
    [found] = [(i.ok, i.detail) for i in check.items if i.what == what]
    return found


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "PAGE", 10)


def several(systems: Systems, count: int, gap: float = 1.0) -> list[str]:
    made_ids = []
    for n in range(count):
        systems.clock.advance(gap)
        made_ids.append(systems.org.edit("Contacts", {"Name": f"C{n:03}"})["ContactID"])
    return made_ids


@pytest.mark.usefixtures("small_pages")
def test_every_record_comes_oldest_change_first(systems: Systems) -> None:
    """A listing over several pages loses none; what a page's last second repeats is the same record again."""
    several(systems, 35)
    pages = list(systems.xero().read("xero.contacts", Window()))
    assert list(dict.fromkeys(names(pages))) == [f"C{n:03}" for n in range(35)]
    assert pages[0].total == 35 and pages[-1].resume is None
    rest = list(systems.xero().read("xero.contacts", Window(), pages[1].resume))
    assert {*names(pages[:2]), *names(rest)} == {f"C{n:03}" for n in range(35)}


@pytest.mark.usefixtures("small_pages")
def test_a_record_that_moves_while_it_is_read_shifts_nothing_past_us(systems: Systems) -> None:
    """Offset paging would lose the first record of the next page whenever one of an earlier page is changed."""
    ids = several(systems, 35)
    seen: list[str] = []
    for number, page in enumerate(systems.xero().read("xero.contacts", Window())):
        seen += names([page])
        systems.clock.advance(2)
        if number < 3:
            systems.org.edit("Contacts", {"ContactID": ids[number], "FirstName": "Moved"})
    assert {f"C{n:03}" for n in range(35)} == set(seen)


@pytest.mark.usefixtures("small_pages")
def test_more_records_in_one_second_than_a_page_holds(systems: Systems) -> None:
    """They are paged by number, and the listing does not turn in a circle."""
    several(systems, 25, gap=0)
    systems.clock.advance(5)
    systems.org.edit("Contacts", {"Name": "Later"})
    assert {f"C{n:03}" for n in range(25)} | {"Later"} == set(
        names(list(systems.xero().read("xero.contacts", Window())))
    )


def test_a_window_has_two_ends(systems: Systems) -> None:
    """The lower one is Xero's, in whole seconds; the upper one is kept here."""
    start: datetime = systems.clock.now()
    several(systems, 10)
    window = Window(start + timedelta(seconds=4), start + timedelta(seconds=7))
    assert names(list(systems.xero().read("xero.contacts", window))) == ["C003", "C004", "C005"]


@pytest.mark.parametrize("answers_304", [False, True])
def test_nothing_new_is_one_empty_page(systems: Systems, answers_304: bool) -> None:
    """Whether Xero says so with an empty list or with 304."""
    systems.org.not_modified_304 = answers_304
    several(systems, 2)
    [page] = systems.xero().read("xero.contacts", Window(systems.clock.now() + timedelta(hours=1)))
    assert page.records == [] and page.resume is None


def test_each_resource_lists_its_own_kind_and_parses(systems: Systems) -> None:
    """Sales without bills, payments of invoices without refunds; every record fits its schema."""
    xero = systems.xero()
    one = made(xero, "xero.contacts", contact(1))
    bill, credit = made(xero, "xero.invoices", invoice(1, one)), made(xero, "xero.credit_notes", note(1, one))
    made(xero, "xero.payments", payment(1, bill, "40.00"))
    made(xero, "xero.refund_payments", refund_payment(2, credit, "30.00"))
    for record in (schema.Contact, schema.Invoice, schema.CreditNote, schema.Payment, schema.RefundPayment):
        raws = [raw for page in xero.read(record.name, Window()) for raw in page.records]
        parsed = parse(record, raws)
        assert len(raws) == 1 and parsed.refused == [], (record.name, parsed.refused)
        [key] = parsed.frame[record.key].to_pylist()
        assert xero.fetch(record.name, [key, "11111111-2222-3333-4444-555555555555"]), record.name
    with pytest.raises(SettingsError):
        xero.read("xero.allocations", Window())


def test_an_order_or_a_bound_that_was_not_kept_is_an_error(systems: Systems) -> None:
    """A keyset is only one while the listing comes in the order of its changes."""
    now = systems.clock.now()

    def listing(*minutes: int) -> list[Page]:
        raws = [str(m).encode() for m in minutes]
        part = Part(raws, False, len(raws), now)
        window = Window(now)
        return list(restarted(lambda s, n: part, lambda raw: now + timedelta(minutes=int(raw)), window, None))

    assert len(listing(0, 1, 1, 2)[0].records) == 4
    with pytest.raises(FilterIgnored, match="order"):
        listing(2, 1)
    with pytest.raises(FilterIgnored, match="before"):
        listing(-1, 1)


def test_a_read_that_is_refused_names_the_reason(systems: Systems) -> None:
    """A filter that Xero cannot read is our mistake; its own fault passes by itself."""
    xero = systems.xero()
    with pytest.raises(Invalid, match="No property or field"):
        xero.get("/api.xro/2.0/Contacts", [("where", 'Foo=="x"')])
    systems.practice.use_faults("xero", [Rule("status", status=500, body="An error", times=2)])
    assert xero.get("/api.xro/2.0/Organisation").status == 200
    systems.org.offline = True
    with pytest.raises(ServerFault):
        xero.get("/api.xro/2.0/Organisation")


def test_the_grant_decides_what_may_be_done(systems: Systems) -> None:
    """A missing scope, another organisation and a grant that was taken back are told apart."""
    xero = systems.xero()
    key = xero.connection.key
    systems.tokens.kept[key] = Token(
        systems.org.access_token("accounting.contacts offline_access"), systems.clock.now(), None, "", "", 1
    )
    with pytest.raises(AccessDenied, match="scope") as error:
        xero.get("/api.xro/2.0/Invoices", [("page", "1")])
    assert error.value.code == "insufficient_scope"
    check = xero.check()
    assert detail(check, "scope accounting.contacts")[0] is True
    assert detail(check, "scope accounting.invoices")[0] is False
    other = systems.xero(account="00000000-1111-2222-3333-444444444444", name="other")
    with pytest.raises(AccessDenied, match="not connected"):
        write(other, "xero.contacts", [contact(1)])
    assert "Practice BV" in detail(other.check(), "organisation")[1]
    systems.org.revoke_all()
    systems.clock.advance(3600)
    lost = systems.xero(name="third")
    systems.org.revoke_all()
    with pytest.raises(BadCredentials):
        lost.get("/api.xro/2.0/Organisation")
    assert detail(lost.check(), "credentials")[0] is False


def test_the_check_reads_the_organisation(systems: Systems) -> None:
    """Currency, lock dates and what is left of the day."""
    check = systems.xero(currency="USD").check()
    assert detail(check, "currency")[0] is False
    assert detail(check, "lock dates") == (True, "period lock 2026-06-30, end of year lock 2025-12-31")
    assert detail(check, "quota")[1].endswith("calls left today")
    assert systems.xero(name="fine").check().ok


def test_the_clock_is_xeros_own(systems: Systems) -> None:
    """The life of a key is counted on it, so it is asked before it is relied on, and once."""
    xero = systems.xero()
    assert xero.now() == systems.clock.now() == xero.now()
    assert sum(n for (m, _), n in systems.practice.fronts["xero"].counts.items() if m == "GET") == 1
