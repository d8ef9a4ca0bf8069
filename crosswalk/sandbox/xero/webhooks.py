"""The practice books' webhooks: one address set by hand, the intent to receive, and signed deliveries of what changed.

Deliveries go out when ``send`` is called, with everything that changed since the last one that was answered; a delivery
that is not answered with 200 and an empty body is sent again with the next.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from crosswalk.sandbox.xero.organisation import Organisation

ANSWER_SECONDS = 5.0
CATEGORIES = {"ACCREC": "INVOICE", "ACCPAY": "INVOICE", "ACCRECCREDIT": "CREDITNOTE", "ACCPAYCREDIT": "CREDITNOTE"}


class Webhooks:
    """The webhook of one app for one organisation. status: as the developer portal shows it."""

    def __init__(self, org: Organisation) -> None:
        self.org = org
        self.url = ""
        self.key = ""
        self.status = "NOT SET"
        self._random = random.Random("xero webhooks")
        self._since = datetime.min.replace(tzinfo=UTC)
        self._sequence = 0

    def configure(self, url: str, key: str) -> str:
        """Set address and key, send the intent to receive, and return the status: OK or the reason why not."""
        self.url, self.key, self._since = url, key, self.org.now()
        for good in (True, False, True, False):
            status, answer = self._post([], key if good else key + "x")
            if status != (200 if good else 401) or answer:
                self.status = (
                    f"Intent to receive required: answered {status} to a {'good' if good else 'bad'} signature"
                )
                return self.status
        self.status = "OK"
        return self.status

    def send(self) -> int:
        """Send what changed since the last delivery; how many events. 0 also where it was not taken."""
        if self.status != "OK":
            return 0
        begun = self.org.now()
        events = self._events()
        if not events:
            return 0
        if self._post(events, self.key) != (200, b""):
            return 0
        self._since = begun
        return len(events)

    def _events(self) -> list[dict[str, Any]]:
        books = self.org.state.books
        things: list[tuple[str, str, Any]] = [("CONTACT", "Contacts", one) for one in books.contacts.values()]
        things += [
            (CATEGORIES[one.type], "CreditNotes" if "CREDIT" in one.type else "Invoices", one)
            for one in books.documents.values() if one.type in CATEGORIES
        ]  # fmt: skip
        return [
            {
                "resourceUrl": f"https://api.xero.com/api.xro/2.0/{path}/{one.id}", "resourceId": one.id,
                "tenantId": self.org.tenant_id, "tenantType": "ORGANISATION", "eventCategory": category,
                "eventType": "UPDATE", "eventDateUtc": one.updated.replace(tzinfo=None).isoformat(),
            }
            for category, path, one in things if one.updated >= self._since
        ]  # fmt: skip

    def _post(self, events: list[dict[str, Any]], key: str) -> tuple[int, bytes]:
        first = self._sequence + 1 if events else 0
        self._sequence += len(events)
        entropy = "".join(self._random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=20))
        said = {"events": events, "firstEventSequence": first, "lastEventSequence": self._sequence if events else 0}
        body = json.dumps(said | {"entropy": entropy}).encode()
        signature = base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.netloc, timeout=ANSWER_SECONDS)
        try:
            headers = {"x-xero-signature": signature, "Content-Type": "application/json"}
            connection.request("POST", parts.path or "/", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()
