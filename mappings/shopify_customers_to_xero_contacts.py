"""Every Shopify customer becomes one Xero contact. Contacts are synchronised first: invoices hang on them."""

from datetime import timedelta

from crosswalk.integration import Integration
from crosswalk.mapping import LEAVE_OUT, Concat, Const, Copy, Mapping, Marker, Rule
from crosswalk.schemas import shopify, xero

customers_to_contacts = Mapping(
    "Shopify customers become Xero contacts",
    source=shopify.Customer,
    target=xero.Contact,
    key="id",
    marker="ContactNumber",
    match="Name",
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
