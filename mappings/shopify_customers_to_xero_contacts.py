"""Every Shopify customer becomes one Xero contact. Contacts are synchronised first: invoices hang on them."""

from datetime import timedelta

from crosswalk.integration import Integration
from crosswalk.mapping import LEAVE_OUT, Concat, Const, Copy, Example, Mapping, Marker, Rule
from crosswalk.schemas import shopify, xero

customers_to_contacts = Mapping(
    "Shopify customers become Xero contacts",
    source=shopify.Customer,
    target=xero.Contact,
    key="id",
    marker="ContactNumber",
    match="EmailAddress",
    rules=[
        Rule("ContactNumber", Marker("legacyResourceId"), why="ours alone: by it a lost answer is looked up"),
        Rule(
            "Name",
            Copy("displayName"),
            taken=Concat("displayName", Const(" ("), "legacyResourceId", Const(")")),
            why="Xero keeps names apart; a second customer of one name gets a contact of their own, never a merge",
        ),
        Rule("FirstName", Copy("firstName"), missing=LEAVE_OUT),
        Rule("LastName", Copy("lastName"), missing=LEAVE_OUT),
        Rule("EmailAddress", Copy("defaultEmailAddress.emailAddress"), missing=LEAVE_OUT),
    ],
    base={
        "id": "gid://shopify/Customer/77",
        "legacyResourceId": "77",
        "createdAt": "2026-11-20T10:00:00Z",
        "updatedAt": "2026-11-20T10:00:00Z",
        "displayName": "Anna Visser",
        "firstName": "Anna",
        "lastName": "Visser",
        "defaultEmailAddress": {"emailAddress": "anna.visser@example.test"},
    },
    examples=[
        Example(
            "a customer",
            expect={
                "ContactNumber": "EX-77",
                "Name": "Anna Visser",
                "FirstName": "Anna",
                "LastName": "Visser",
                "EmailAddress": "anna.visser@example.test",
            },
            taken={"Name": "Anna Visser (77)"},
        ),
        Example(
            "a customer who gave a name alone",
            given={"firstName": None, "lastName": None, "defaultEmailAddress": None},
            expect={"Name": "Anna Visser", "FirstName": None, "LastName": None, "EmailAddress": None},
        ),
        Example("a customer without a name", given={"displayName": None}, held={"Name"}),
        Example("a name that does not fit", given={"displayName": "x" * 256}, held={"Name"}),
    ],
)

INTEGRATION = Integration(
    name="shopify_customers_to_xero_contacts",
    title="Shopify customers become Xero contacts",
    source="shopify.customers",
    target="xero",
    parts=(customers_to_contacts,),
    owner="finance",
    fresh_within=timedelta(minutes=30),
    stand_ins=(
        b'{"id": "guests", "legacyResourceId": "guests", "displayName": "Shop guests", '
        b'"createdAt": "2000-01-01T00:00:00Z", "updatedAt": "2000-01-01T00:00:00Z"}',
    ),
)
