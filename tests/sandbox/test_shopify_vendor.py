"""The practice shop against what Shopify itself has published: its schema, its examples, its own Python client."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from graphql import (
    GraphQLNamedType,
    GraphQLSchema,
    build_schema,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_object_type,
    is_required_argument,
    is_required_input_field,
    is_specified_scalar_type,
    is_union_type,
    parse,
    validate,
)
from shopify_door import ALL, TOKEN, Door
from skips import SPECS

from crosswalk.clock import SharedClock
from crosswalk.sandbox.shopify import gid
from crosswalk.sandbox.shopify.schema import SDL

pytestmark = pytest.mark.contract
CLIENT = "ShopifyAPI==12.7.0"
# Read by the vendor's own client, in an environment of its own; prints what it got.
SCRIPT = r"""
import json, socket, sys, urllib.request
import shopify

port, token, code, signed = int(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
find, call = socket.getaddrinfo, urllib.request.urlopen

def local(host, *rest, **more):
    return find("127.0.0.1" if str(host).endswith(".localhost") else host, *rest, **more)

def plain(request, *rest, **more):
    if isinstance(request, urllib.request.Request):
        request.full_url = request.full_url.replace("https://", "http://")
    return call(request, *rest, **more)

socket.getaddrinfo, urllib.request.urlopen = local, plain
shopify.Session.setup(protocol="http", myshopify_domain="localhost", port=port, api_key="client", secret="secret")
out = {"token": shopify.Session("practice-shop.localhost", "2026-10").request_token(signed)}
out["scopes"] = []
for token in (token, out["token"]):
    session = shopify.Session("practice-shop.localhost", "2026-10", token)
    shopify.ShopifyResource.activate_session(session)
    out["scopes"].append(sorted(scope.handle for scope in shopify.AccessScope.find()))
query = '''query Orders($n: Int!, $a: String, $q: String) {
  orders(first: $n, after: $a, query: $q, sortKey: UPDATED_AT) { pageInfo { hasNextPage endCursor }
  nodes { id legacyResourceId name totalPriceSet { shopMoney { amount } }
  lineItems(first: 5) { nodes { title } } } } }'''
out["orders"], after, more = [], None, True
while more:
    text = shopify.GraphQL().execute(query, {"n": 2, "a": after, "q": "updated_at:>='2026-11-01T00:02:00Z'"}, "Orders")
    page = json.loads(text)["data"]["orders"]
    out["orders"] += page["nodes"]
    more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
create = '''mutation($i: CustomerInput!) {
  customerCreate(input: $i) { customer { id } userErrors { field message } } }'''
out["created"] = [json.loads(shopify.GraphQL().execute(create, {"i": {"email": "a@example.test"}})) for _ in range(2)]
shopify.ShopifyResource.activate_session(shopify.Session("practice-shop.localhost", "2026-10", "wrong"))
try:
    shopify.GraphQL().execute("{shop{name}}")
except Exception as error:
    out["refused"] = error.code
print("ANSWER" + json.dumps(out))
"""


@pytest.fixture(scope="module")
def vendor() -> GraphQLSchema:
    # The vendor's own schema does not pass graphql-core's rules; it is taken as it is.
    return build_schema((SPECS / "shopify" / "admin_2026-10.graphql").read_text(encoding="utf-8"), assume_valid=True)


@pytest.fixture(scope="module")
def ours() -> GraphQLSchema:
    return build_schema(SDL.read_text(encoding="utf-8"))


def _written(argument: Any) -> str:
    default = argument.ast_node.default_value if argument.ast_node else None
    return f"{argument.type} = {default.to_dict() if default else None}"


def _field_differences(name: str, own: Any, theirs: Any) -> Iterator[str]:
    for field_name, field in own.fields.items():
        where = f"{name}.{field_name}"
        other = theirs.fields.get(field_name)
        if other is None:
            yield f"{where} is not the vendor's"
        elif str(field.type) != str(other.type):
            yield f"{where} is {field.type}, the vendor's {other.type}"
        elif is_input_object_type(own):
            if _written(field) != _written(other):
                yield f"{where} has another default"
        else:
            yield from _argument_differences(where, field, other)
    if is_input_object_type(own):
        required = {field_name for field_name, field in theirs.fields.items() if is_required_input_field(field)}
        yield from (f"{name}.{missing} is required by the vendor" for missing in required - set(own.fields))


def _argument_differences(where: str, own: Any, theirs: Any) -> Iterator[str]:
    for name, argument in own.args.items():
        other = theirs.args.get(name)
        if other is None:
            yield f"{where}({name}) is not the vendor's"
        elif _written(argument) != _written(other):
            yield f"{where}({name}) is {_written(argument)}, the vendor's {_written(other)}"
    required = {name for name, argument in theirs.args.items() if is_required_argument(argument)}
    yield from (f"{where}({missing}) is required by the vendor" for missing in required - set(own.args))


def differences(ours: GraphQLSchema, vendor: GraphQLSchema) -> Iterator[str]:
    """What our schema has that the vendor's has not, or has otherwise."""
    for name, own in ours.type_map.items():
        if name.startswith("__") or is_specified_scalar_type(own):
            continue
        theirs: GraphQLNamedType | None = vendor.type_map.get(name)
        if theirs is None or type(theirs) is not type(own):
            yield f"{name} is not the vendor's"
        elif is_object_type(own) or is_interface_type(own) or is_input_object_type(own):
            yield from _field_differences(name, own, theirs)
            extra = {part.name for part in getattr(own, "interfaces", ())}
            yield from (f"{name} & {n}" for n in extra - {p.name for p in getattr(theirs, "interfaces", ())})
        elif is_enum_type(own) and is_enum_type(theirs):
            yield from (f"{name}.{value}" for value in set(own.values) - set(theirs.values))
        elif is_union_type(own) and is_union_type(theirs):
            yield from (f"{name} | {n}" for n in {t.name for t in own.types} - {t.name for t in theirs.types})
    for directive in ours.directives:
        other = vendor.get_directive(directive.name)
        if other is None or set(directive.locations) - set(other.locations) or set(directive.args) != set(other.args):
            yield f"@{directive.name} is not the vendor's"


def test_every_name_and_type_is_the_vendors(ours: GraphQLSchema, vendor: GraphQLSchema) -> None:
    """Each type, field, argument, default, enum value and directive of our schema is the vendor's, with its type."""
    assert list(differences(ours, vendor)) == []
    assert len(ours.type_map["Order"].fields) > 60  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  ianaTimezone: String!", "  ianaTimezone: String"),
        ("  ianaTimezone: String!", "  ianaTimezone: String!\n  zone: String!"),
        ("reverse: Boolean = false, sortKey: OrderSortKeys", "reverse: Boolean = true, sortKey: OrderSortKeys"),
        ("refunds(first: Int)", "refunds(first: Int, after: String)"),
        ("enum OrderSortKeys {", "enum OrderSortKeys {\n  COLOUR"),
        ("key: String!) on FIELD", "key: String!) on QUERY"),
        ("scalar URL", "enum URL {\n  A\n}"),
    ],
)
def test_the_comparison_finds_a_difference(vendor: GraphQLSchema, old: str, new: str) -> None:
    """A type, field, default, argument, enum value, directive or kind that is not the vendor's is found."""
    text = SDL.read_text(encoding="utf-8")
    assert old in text
    assert list(differences(build_schema(text.replace(old, new)), vendor))


def test_the_published_example_query_is_answered(vendor: GraphQLSchema, clock: SharedClock) -> None:
    """A query that is valid at the vendor is answered here with the fields of its example."""
    query = """query($q:String!,$a:String){orders(first:2,after:$a,query:$q,sortKey:UPDATED_AT){pageInfo{hasNextPage
    endCursor} nodes{id legacyResourceId name createdAt updatedAt currencyCode displayFinancialStatus
    displayFulfillmentStatus email totalPriceSet{shopMoney{amount currencyCode}} customer{id} lineItems(first:50){nodes{
    id sku quantity originalUnitPriceSet{shopMoney{amount}} taxLines{title rate priceSet{shopMoney{amount}}}}}
    shippingLines(first:5){nodes{title originalPriceSet{shopMoney{amount}}}}}}}"""
    assert validate(vendor, parse(query)) == []
    door = Door(clock)
    for n in range(3):
        door.order(n)
    body = door.body(query, q="updated_at:>='2026-11-01T00:00:00Z'")
    assert "errors" not in body
    assert body["data"]["orders"]["pageInfo"]["hasNextPage"] is True
    node = body["data"]["orders"]["nodes"][0]
    assert node["displayFulfillmentStatus"] == "UNFULFILLED"
    assert set(body["extensions"]["cost"]) == {"requestedQueryCost", "actualQueryCost", "throttleStatus"}


def test_the_published_example_mutation_is_answered(vendor: GraphQLSchema, clock: SharedClock) -> None:
    """A mutation that is valid at the vendor makes the order of its example here, and refuses one without lines."""
    query = "mutation($o:OrderCreateOrderInput!){orderCreate(order:$o){order{id name} userErrors{field message code}}}"
    assert validate(vendor, parse(query)) == []
    door = Door(clock)
    variant = {"id": gid("ProductVariant", 44), "price": "12.50"}
    door.shop.put("products", {"id": gid("Product", 1), "title": "Mug", "variants": [variant]})
    money = {"shopMoney": {"amount": "12.50", "currencyCode": "EUR"}}
    line = {"variantId": gid("ProductVariant", 44), "quantity": 2, "priceSet": money}
    paid = {"kind": "SALE", "status": "SUCCESS", "amountSet": money}
    given = {"email": "anna.visser@example.test", "currency": "EUR", "financialStatus": "PAID", "lineItems": [line]}
    made = door.data(query, o={**given, "sourceIdentifier": "WEB-5001", "transactions": [paid]})["orderCreate"]
    assert made["userErrors"] == []
    assert made["order"]["id"].startswith("gid://shopify/Order/")
    refused = door.data(query, o={**given, "lineItems": []})["orderCreate"]
    assert refused["userErrors"][0]["message"] == "Line items must have at least one line item"


@pytest.fixture(scope="module")
def client_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the vendor's client and nothing of ours."""
    home = tmp_path_factory.mktemp("shopify_client") / "venv"
    uv = Path(sys.executable).with_name("uv")
    python = home / "bin" / "python"
    for command in (
        ["venv", "-q", "--python", sys.executable, home],
        ["pip", "install", "-q", "--python", python, CLIENT],
    ):
        done = subprocess.run([uv, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{CLIENT} cannot be installed: {done.stderr.strip()[-200:]}")
    return python


@pytest.fixture
def served(clock: SharedClock) -> Iterator[tuple[Door, int]]:
    """The shop on a port of this machine."""
    door = Door(clock)
    for n in range(1, 7):
        door.order(n)
    app = door.shop.accounts.install("client", "secret", ALL - {"write_orders"})
    door.shop.accounts.codes["c0de"] = app
    server = uvicorn.Server(uvicorn.Config(door.app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.02)
    yield door, server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(10)


def test_the_vendors_client_works_against_the_shop(client_python: Path, served: tuple[Door, int]) -> None:
    """ShopifyAPI logs in, reads its scopes, pages through a search, gets a user error and a 401."""
    door, port = served
    params = {"code": "c0de", "shop": "practice-shop.localhost", "timestamp": str(int(time.time()))}
    message = "&".join(f"{name}={value}" for name, value in sorted(params.items()))
    signed = json.dumps({**params, "hmac": hmac.new(b"secret", message.encode(), hashlib.sha256).hexdigest()})
    command = [client_python, "-c", SCRIPT, str(port), TOKEN, "c0de", signed]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert "ANSWER" in done.stdout, done.stderr
    out = json.loads(done.stdout.split("ANSWER")[1])
    assert out["scopes"] == [sorted(ALL), sorted(ALL - {"write_orders"})]
    assert [order["name"] for order in out["orders"]] == ["#1002", "#1003", "#1004", "#1005", "#1006"]
    assert out["orders"][0]["legacyResourceId"] == out["orders"][0]["id"].rsplit("/", 1)[-1]
    first, second = (answer["data"]["customerCreate"] for answer in out["created"])
    assert first["userErrors"] == []
    assert second["userErrors"] == [{"field": ["email"], "message": "Email has already been taken"}]
    assert out["refused"] == 401
    assert door.shop.requests()["Orders"] == 3
