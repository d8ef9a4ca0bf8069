"""Shopify, Admin GraphQL API: orders with payments and refunds, customers, products with variants. Read only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from crosswalk.connectors import graphql, shopify_check
from crosswalk.connectors.base import (
    Answer,
    AuthWay,
    Check,
    Connector,
    Measure,
    Page,
    Resource,
    Setting,
    System,
    Window,
    setting,
)
from crosswalk.connectors.shopify_check import customers_shown
from crosswalk.connectors.shopify_documents import (
    SCOPES,
    SHAPES,
    Shape,
    allows,
    counting,
    further,
    listing,
    nodes,
    search,
)
from crosswalk.connectors.shopify_webhooks import WEBHOOKS
from crosswalk.connectors.wire import instant, peek, render, rows
from crosswalk.errors import (
    AccessDenied,
    BadCredentials,
    Drift,
    FilterIgnored,
    Incomplete,
    Invalid,
    NotFound,
    Refused,
    ServerFault,
    Throttled,
    VendorError,
)
from crosswalk.http.answer import SAFE, retry_after
from crosswalk.http.protocols import Quota
from crosswalk.schemas import shopify as schema

VERSION = "2026-10"
# One query may ask for 1,000 points; some are left for what the price is estimated too low.
DEAREST, AIM = 1000, 900
FIRST_PAGE, LARGEST_PAGE, SHRINK_AT_MOST = 10, 250, 8
# A sorted search ends at 25,000 objects; before that it is begun again from the last change.
DEEPEST = 20_000
NODES = 25
ORDERS_BORDER = timedelta(days=60)

SALES = Measure("processedAt", "totalPriceSet.shopMoney.amount", "currencyCode")
# The search index is behind by seconds to minutes.
RESOURCES = (
    Resource(
        schema.Order, order="keyset", lookback=600, settle=60, scopes=("read_orders", "read_customers"), measure=SALES
    ),
    Resource(schema.Customer, order="keyset", lookback=600, settle=60, scopes=("read_customers",)),
    Resource(schema.Product, order="keyset", lookback=600, settle=60, scopes=("read_products",)),
)


def classify(answer: Answer) -> VendorError | None:
    """The error of an answer in any of the three layers; userErrors of mutations are not read here."""
    status, text = answer.status, answer.text()
    if 200 <= status < 300:
        return graphql.failure("Shopify", answer)
    said = f"Shopify answered {status}: {_detail(answer) or 'nothing more'}"
    if status == 429:
        return Throttled(said, wait=retry_after(answer) or 1.0, status=status, body=text)
    if status == 401:
        return BadCredentials(said, status=status, body=text)
    if status == 403:
        return AccessDenied(said, status=status, body=text)
    if status == 404:
        return NotFound(f"{said}; is the shop's address right?", status=status, body=text)
    if status == 402:
        return Refused(f"{said}; the shop is frozen until its bill is paid", status=status, body=text)
    if status == 423:
        return Refused(f"{said}; the shop is locked", status=status, body=text)
    if status >= 500:
        return ServerFault(said, status=status, body=text)
    return Invalid(said, status=status, body=text)


def _detail(answer: Answer) -> str:
    errors, _ = graphql.envelope(answer.body)
    return str(errors)[:300] if errors else answer.text(300).strip()


SYSTEM = System(
    name="shopify",
    title="Shopify",
    kind="e-commerce",
    version=VERSION,
    url="https://{shop}",
    hosts=("{shop}",),
    settings=(
        Setting("shop", "address of the shop, such as my-shop.myshopify.com; the account if left out", False),
        Setting("version", "version of the Admin API, released every quarter", False, default=VERSION),
    ),
    auth=(
        AuthWay(
            "client credentials",
            ("client_id", "client_secret"),
            header="X-Shopify-Access-Token",
            prefix="",
            token_url="https://{shop}/admin/oauth/access_token",  # noqa: S106
            access_life=86_400,
            about="an app of the Dev Dashboard in the shop's own organisation; a token lives 24 hours",
        ),
        AuthWay(
            "static token",
            ("access_token",),
            header="X-Shopify-Access-Token",
            prefix="",
            about="an app made in the shop's admin; its token has no end",
        ),
    ),
    quota=Quota(rate=6000, burst=2000),
    quota_of="app and shop",
    scopes=("read_orders", "read_all_orders", "read_customers", "read_products"),
    resources={r.record.resource: r for r in RESOURCES},
    classify=classify,
    tell=graphql.tell,
    remarks=(
        "Without read_all_orders only orders of the last 60 days are seen, and no change of an older one.",
        "Without approval for protected customer data names, addresses and mail are withheld.",
    ),
    webhooks=WEBHOOKS,
)


class Shopify(Connector):
    """One shop."""

    system = SYSTEM

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._sizes: dict[str, int] = {}
        self._shrink: dict[str, int] = {}
        self._price: dict[str, float] = {}
        self._scopes: frozenset[str] | None = None
        self._shown = False

    @property
    def version(self) -> str:
        return setting(self.connection, "version", VERSION)

    def now(self) -> datetime:
        self.granted()  # the shop's clock is unknown before its first answer
        return self.client.vendor_now()

    def ask(self, document: str, variables: Mapping[str, Any], cost: float = 10) -> Answer:
        """Run a query. Raises Drift when another version answered, FilterIgnored when a search was not understood."""
        answer = self.client.request(
            "POST",
            f"/admin/api/{self.version}/graphql.json",
            headers={"Accept": "application/json", "Content-Type": "application/json"},
            content=render({"query": document, "variables": dict(variables)}),
            repeat=SAFE,
            cost=cost,
        )
        answered = answer.header("x-shopify-api-version")
        if answered and answered != self.version:
            raise Drift(
                f"Shopify answered with version {answered} of its API instead of {self.version}, which is retired",
                safe="nothing of the answer was used",
                next_command=f"set version of the connection {self.connection.name} and see what changed",
            )
        _, extensions = graphql.envelope(answer.body)
        ignored = graphql.warnings(extensions)
        if ignored:
            raise FilterIgnored(
                f"Shopify did not use a search filter: {'; '.join(ignored)}", safe="nothing of the answer was used"
            )
        return answer

    def granted(self) -> frozenset[str]:
        """The scopes of the token, asked for once."""
        if self._scopes is None:
            answer = self.ask(SCOPES, {})
            raws, _ = rows(answer.body, "data.currentAppInstallation.accessScopes")
            self._scopes = frozenset(str(peek(raw, "handle")) for raw in raws)
        return self._scopes

    # reading

    def read(self, resource: str, window: Window, resume: str | None = None) -> Iterator[Page]:
        facts = self.system.resource(resource)
        self._permitted(facts)
        self._in_sight(facts, window)
        return self._pages(facts, window, resume)

    def _pages(self, facts: Resource, window: Window, resume: str | None) -> Iterator[Page]:
        shape = SHAPES[facts.name]
        since, after, seen = _resumed(resume, window)
        followed: set[str | None] = {after}
        while True:
            variables = {"after": after, "query": search(since, window.until)}
            records, rest = self._page(facts, variables)
            after = graphql.onward(rest["data"][shape.field].get("pageInfo"), followed, f"Shopify's {shape.field}")
            kept = [self._whole(facts, raw) for raw in records if not shape.by_day or _inside(raw, window)]
            seen += len(records)
            if after is None:
                yield Page(kept, None, self._count(shape, window), self.client.vendor_now(), window)
                return
            last = instant(peek(records[-1], facts.record.version)) if records else None
            if seen >= DEEPEST and last is not None and (since is None or last > since):
                since, after, seen, followed = last, None, 0, set()
            yield Page(kept, _token(since, after, seen), None, self.client.vendor_now(), window)

    def _count(self, shape: Shape, window: Window) -> int | None:
        """How many the window holds now that it has been read: what left it meanwhile is newer and comes again."""
        if not shape.count:
            return None
        answer = self.ask(counting(shape), {"query": search(window.since, window.until)})
        return _exact(graphql.loads(answer.body)["data"]["count"])

    def _page(self, facts: Resource, variables: Mapping[str, Any]) -> tuple[list[bytes], dict[str, Any]]:
        """One page, as large as its price allows."""
        shape, name = SHAPES[facts.name], facts.name
        while True:
            size, shrink = self._sizes.get(name, FIRST_PAGE), self._shrink.get(name, 1)
            try:
                answer = self.ask(
                    listing(facts, shrink), {**variables, "first": size}, cost=self._price.get(name, DEAREST / 2)
                )
            except Invalid as error:
                if error.code != "MAX_COST_EXCEEDED" or not self._cheaper(name):
                    raise
                continue
            self._learn(name, size, graphql.cost(graphql.envelope(answer.body)[1]))
            return rows(answer.body, f"data.{shape.field}.nodes")

    def _cheaper(self, name: str) -> bool:
        """Ask for half as much; False when nothing is left to halve."""
        size, shrink = self._sizes.get(name, FIRST_PAGE), self._shrink.get(name, 1)
        if size > 1:
            self._sizes[name] = size // 2
        elif shrink < SHRINK_AT_MOST:
            self._shrink[name] = shrink * 2
        else:
            return False
        return True

    def _learn(self, name: str, size: int, price: graphql.Cost | None) -> None:
        """The next page's size from what this one was said to cost."""
        if price is None or price.requested <= 0:
            return
        aim = min(AIM, price.maximum / 2) if price.maximum > 0 else AIM
        each = price.requested / size
        self._sizes[name] = max(1, min(LARGEST_PAGE, size * 4, int(aim / each)))
        # A price grows with the size by steps: rather too much is taken, and given back, than a query refused.
        grown = min(DEAREST, each * self._sizes[name] * 1.2) if self._sizes[name] > size else 0.0
        self._price[name] = max(price.requested, grown)

    def _whole(self, facts: Resource, raw: bytes) -> bytes:
        """The record with every nested connection read to its end; untouched when there is nothing to add."""
        if not graphql.MORE.search(raw):
            return raw
        try:
            record = graphql.loads(raw)
        except (ValueError, RecursionError):
            return raw  # the parse refuses it and names the reason
        for cut in graphql.cut_off(record, facts.record.fields):
            self._finish(facts, cut)
        try:
            return render(record)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError, TypeError, ValueError):
            return raw  # half a surrogate or NaN: the same

    def _finish(self, facts: Resource, cut: graphql.Cut) -> None:
        """Read a nested connection to its end, into the record."""
        name = ".".join((*cut.owner_path, cut.lines.name))
        document = further(facts, cut.owner_path, cut.lines)
        seen: set[str] = set()
        while cut.connection["pageInfo"].get("hasNextPage") is True:
            cursor = cut.connection["pageInfo"].get("endCursor")
            if not cursor or cursor in seen:
                raise Incomplete(f"{cut.owner.get('id')}: {name} have a next page and no new cursor to it")
            seen.add(cursor)
            answer = self.ask(document, {"id": cut.owner["id"], "after": cursor}, cost=100)
            more = (graphql.loads(answer.body)["data"] or {}).get("node")
            if more is None:
                raise Incomplete(
                    f"{cut.owner['id']} vanished while its {name} were read", safe="nothing of it was used"
                )
            cut.connection["nodes"] += more[cut.name]["nodes"]
            cut.connection["pageInfo"] = more[cut.name]["pageInfo"]

    def fetch(self, resource: str, ids: Sequence[str]) -> list[bytes]:
        """These records afresh. AccessDenied when one is hidden by the 60-day border rather than missing."""
        facts = self.system.resource(resource)
        self._permitted(facts)
        found: list[bytes] = []
        waiting = list(dict.fromkeys(ids))
        size, shrink = NODES, self._shrink.get(facts.name, 1)
        while waiting:
            some = waiting[:size]
            try:
                answer = self.ask(nodes(facts, shrink), {"ids": some}, cost=min(DEAREST, len(some) * 40))
            except Invalid as error:
                if error.code != "MAX_COST_EXCEEDED" or (size == 1 and shrink >= SHRINK_AT_MOST):
                    raise
                size, shrink = (size // 2, shrink) if size > 1 else (1, shrink * 2)
                continue
            raws, _ = rows(answer.body, "data.nodes")
            if len(raws) != len(some):
                raise Incomplete(f"{len(some)} {facts.name} were asked for by id, and {len(raws)} came")
            missing = [one for one, raw in zip(some, raws, strict=True) if raw.strip() == b"null"]
            if missing and facts.name == "shopify.orders" and "read_all_orders" not in self.granted():
                raise AccessDenied(
                    f"Shopify shows nothing for {len(missing)} orders; without the scope read_all_orders it hides "
                    "those older than 60 days, so that they may be there or not",
                    record=", ".join(missing[:5]),
                    safe="nothing was taken as deleted",
                )
            # An object of another type comes as {}.
            found += [self._whole(facts, raw) for raw in raws if raw.strip() not in (b"null", b"{}")]
            waiting = waiting[len(some) :]
        return found

    def _permitted(self, facts: Resource) -> None:
        """What scopes and approvals leave out without a word is refused aloud."""
        missing = [scope for scope in facts.scopes if not allows(self.granted(), scope)]
        if missing:
            raise AccessDenied(
                f"{facts.name} needs the scopes {', '.join(missing)}, which the app of {self.connection.name} lacks; "
                "what they cover would come as null",
                safe="nothing was read",
                next_command=f"grant them to the app, then crosswalk connections check {self.connection.name}",
            )
        if "read_customers" in facts.scopes and not self._shown:
            self._shown = customers_shown(self)

    def _in_sight(self, facts: Resource, window: Window) -> None:
        """Refuse a window that reaches behind what the app may see."""
        if facts.name != "shopify.orders" or "read_all_orders" in self.granted():
            return
        border = self.client.vendor_now() - ORDERS_BORDER
        if window.since is None or window.since < border:
            raise AccessDenied(
                f"the window begins before {border:%Y-%m-%d}: without the scope read_all_orders Shopify shows only "
                "orders of the last 60 days and says nothing about the others",
                safe="nothing was read",
                next_command="ask Shopify for read_all_orders, or start the binding later",
            )

    def check(self) -> Check:
        return shopify_check.check(self)


def _inside(raw: bytes, window: Window) -> bool:
    """Whether a record changed within the window; one that does not say so stays, to be held."""
    changed = instant(peek(raw, "updatedAt"))
    if changed is None:
        return True
    return (window.since is None or changed >= window.since.replace(microsecond=0)) and (
        window.until is None or changed < window.until.replace(microsecond=0)
    )


def _exact(count: Any) -> int | None:
    if not isinstance(count, dict) or count.get("precision") != "EXACT":
        return None
    return int(count["count"])


def _token(since: datetime | None, after: str | None, seen: int) -> str:
    return json.dumps({"since": since.isoformat() if since else None, "after": after, "seen": seen})


def _resumed(resume: str | None, window: Window) -> tuple[datetime | None, str | None, int]:
    if resume is None:
        return window.since, None, 0
    state = json.loads(resume)
    since = datetime.fromisoformat(state["since"]) if state["since"] else None
    return since, state["after"], int(state["seen"])


CONNECTOR = Shopify
