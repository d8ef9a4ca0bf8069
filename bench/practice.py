"""The benchmark's system as a connector declares it, its record, and a real mapping to two tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta

from crosswalk.connectors.base import AuthWay, Check, Connector, Page, Resource, Setting, System, Window
from crosswalk.frames.split import split
from crosswalk.http.protocols import Quota
from crosswalk.integration import Integration
from crosswalk.mapping import (
    LEAVE_OUT,
    Choose,
    Concat,
    Copy,
    LocalDate,
    Mapping,
    Round,
    Rule,
    Sum,
    Verb,
)
from crosswalk.mapping import (
    Check as Equal,
)
from crosswalk.mapping import (
    Lines as Rows,
)
from crosswalk.schemas.base import BOOLEAN, DATE, ID, INSTANT, INTEGER, MONEY, TEXT, Field, Lines, Record

PAGE = 250
STATUS = {"paid": "PAID", "pending": "OPEN", "partially_paid": "PART", "refunded": "BACK"}

Order = Record(
    "practice_orders.orders",
    key="id",
    version="updated_at",
    fields=(
        Field("id", ID, required=True),
        Field("number", TEXT, required=True),
        Field("created_at", INSTANT, required=True),
        Field("updated_at", INSTANT, required=True),
        Field("processed_at", INSTANT),
        Field("closed_at", INSTANT),
        Field("cancelled_at", INSTANT),
        Field("status", TEXT, required=True, values=tuple(STATUS)),
        Field("fulfilment", TEXT, values=("unfulfilled", "fulfilled", "partial")),
        Field("currency", TEXT, required=True, values=("EUR", "USD", "GBP")),
        Field("subtotal", MONEY, required=True),
        Field("discount", MONEY),
        Field("shipping", MONEY),
        Field("tax", MONEY),
        Field("total", MONEY, required=True),
        Field("gateway", TEXT, values=("cards", "paypal", "bank")),
        Field("channel", TEXT),
        Field("locale", TEXT),
        Field("note", TEXT, personal=True),
        Field("test", BOOLEAN, required=True),
        Field("item_count", INTEGER),
        Field("weight_grams", INTEGER),
        Field("tags", TEXT),
        Field("customer.id", ID, required=True),
        Field("customer.first_name", TEXT, personal=True),
        Field("customer.last_name", TEXT, personal=True),
        Field("customer.email", TEXT, personal=True),
        Field("customer.country", TEXT),
        Lines(
            "lines",
            (
                Field("id", ID, required=True),
                Field("sku", TEXT),
                Field("title", TEXT),
                Field("quantity", INTEGER, required=True),
                Field("price", MONEY, required=True),
            ),
            key="id",
            required=True,
        ),
    ),
)

COPIED = tuple(f.name for f in Order.scalars if f.name not in ("status",) and not f.name.startswith("customer."))

Row = Record(
    "database.orders",
    key="id",
    version="updated_at",
    fields=(
        *(Field(f.name, f.type, required=f.required) for f in Order.scalars if f.name in COPIED),
        Field("order_date", DATE, required=True),
        Field("status", TEXT, required=True),
        Field("customer_id", ID, required=True),
        Field("customer_name", TEXT),
        Field("customer_email", TEXT),
        Field("customer_country", TEXT),
        Lines(
            "lines",
            (
                Field("id", ID, required=True),
                Field("sku", TEXT),
                Field("title", TEXT),
                Field("quantity", INTEGER, required=True),
                Field("price", MONEY, required=True),
                Field("amount", MONEY, required=True),
            ),
            key="id",
        ),
    ),
)


def _copy(name: str, source: str = "", needed: bool = False) -> Rule:
    verb: Verb = Copy(source or name)
    return Rule(name, verb) if needed else Rule(name, verb, missing=LEAVE_OUT)


orders_to_rows = Mapping(
    "Practice orders become rows",
    source=Order,
    target=Row,
    key="id",
    rules=[
        *(_copy(f.name, needed=bool(f.required)) for f in Order.scalars if f.name in COPIED),
        Rule("order_date", LocalDate("created_at", zone="Europe/Amsterdam"), why="the shop's own calendar day"),
        Rule("status", Choose("status", values=STATUS), why="the words of the warehouse"),
        _copy("customer_id", "customer.id", needed=True),
        Rule(
            "customer_name",
            Concat("customer.first_name", "customer.last_name", separator=" "),
            missing=LEAVE_OUT,
            why="one column",
        ),
        _copy("customer_email", "customer.email"),
        _copy("customer_country", "customer.country"),
        Rows(
            "lines",
            each="lines",
            rules=[
                *(
                    _copy(name, needed=name in ("id", "quantity", "price"))
                    for name in ("id", "sku", "title", "quantity", "price")
                ),
                Rule("amount", Round(Copy("price") * Copy("quantity"), 2), why="what the line costs"),
            ],
        ),
    ],
    checks=[
        Equal("the lines add up", Sum("lines.amount"), "subtotal", why="an order whose lines do not add up is held")
    ],
)

INTEGRATION = Integration(
    name="practice_orders_to_database",
    title="Practice orders become rows",
    source="practice_orders.orders",
    target="database",
    parts=(orders_to_rows,),
    owner="data",
    fresh_within=timedelta(hours=1),
)


class PracticeOrders(Connector):
    """A listing by cursor in the order of changes: a keyset."""

    system = System(
        name="practice_orders",
        title="Practice orders",
        kind="shop",
        url="{url}",
        hosts=("127.0.0.1",),
        settings=(Setting("url", "where the benchmark's server listens"),),
        auth=(AuthWay("static token", ("token",)),),
        quota=Quota(),
        quota_of="account",
        scopes=(),
        resources={"orders": Resource(Order, order="keyset", settle=0, lookback=60)},
    )

    def read(self, resource: str, window: Window, resume: str | None = None) -> Iterator[Page]:
        while True:
            asked = {"limit": str(PAGE), "cursor": resume}
            if window.since is not None:
                asked["updated_since"] = window.since.isoformat()
            page = split(self.client.request("GET", "/orders", params=asked).body, "orders")
            following = page.rest["next_cursor"]
            assert following is None or isinstance(following, str)
            yield Page(page.records, following, None, self.client.vendor_now())
            if following is None:
                return
            resume = following

    def fetch(self, resource: str, ids: Sequence[str]) -> list[bytes]:
        raise NotImplementedError("the benchmark reads windows only")

    def check(self) -> Check:
        return Check(())


CONNECTOR = PracticeOrders
# A system is found under this name; a user's own would lie there.
sys.modules["crosswalk.connectors.practice_orders"] = sys.modules[__name__]
