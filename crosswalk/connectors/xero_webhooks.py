"""Xero's webhooks: the topics. Xero has no API for subscriptions: they are set by hand in its developer portal."""

from crosswalk.connectors.facts import Topic, Webhooks

CATEGORIES = {"CONTACT": "xero.contacts", "INVOICE": "xero.invoices", "CREDITNOTE": "xero.credit_notes"}

WEBHOOKS = Webhooks(
    "xero",
    tuple(
        Topic(f"{category}.{kind}", resource, ("resourceId",))
        for category, resource in CATEGORIES.items()
        for kind in ("CREATE", "UPDATE")
    ),
    by_hand=(
        "developer.xero.com, My Apps, your app, Webhooks: tick contacts, invoices and credit notes, enter the address, "
        "save, copy the webhooks key into the environment variable that `secrets` names, start the receiver, then "
        "press Send intent to receive: the status has to become OK"
    ),
)
