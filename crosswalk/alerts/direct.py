"""Telling without a store: sent at once, and remembered in a file beside the settings so that it is told once.

Reminders come by the same clock as an incident's. When the store is back, what was told is handed over to the
incident table, threads included: what is over is then recovered there, once. A second machine has a file of its own.
"""

from __future__ import annotations

import fcntl
import json
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crosswalk.alerts import routing
from crosswalk.alerts.channels.base import Delivery
from crosswalk.alerts.channels.base import Trouble as NotTaken
from crosswalk.alerts.message import Fact, Message, clean, nobody
from crosswalk.alerts.sending import Post, Providers
from crosswalk.alerts.ticking import next_reminder
from crosswalk.alerts.trouble import CRITICAL, STORE_GONE, Trouble
from crosswalk.clock import Clock
from crosswalk.errors import CrosswalkError
from crosswalk.http import redact
from crosswalk.settings import Settings

if TYPE_CHECKING:
    from crosswalk.alerts.incidents import Incidents

LOG = logging.getLogger("crosswalk.alerts")
FILE = "told-directly.json"

_unwritten: dict[str, Any] = {}
"""What could not be written to the file, when the disk is full as well: told once by this process at least."""


def store_gone(error: CrosswalkError, binding: str = "") -> Trouble:
    """The trouble that the store itself is, the same for all bindings."""
    facts = [
        Fact("Waiting", "the store could not be asked"), Fact("Safe", error.safe or "what was committed stands"),
    ]  # fmt: skip
    if binding:
        facts.insert(0, Fact("Binding", binding))
    return Trouble(
        kind=STORE_GONE, title="the store cannot be used", what=error.what, step="store", severity=CRITICAL,
        facts=facts, command=error.next_command or "crosswalk store check",
        then="Every run fails until then; once the store answers, the next one goes on at the last commit. This was "
        "told without the store.",
    )  # fmt: skip


def tell(settings: Settings, clock: Clock, trouble: Trouble, post: Post | None = None) -> str:
    """Tell of a trouble at once, unless this machine has told of it lately; why nobody was told, or nothing.

    Never raises: what cannot be sent is logged with the whole message.
    """
    named = trouble.named(settings.environment, routing.name_of(settings, trouble.connection))
    mark, now = named.fingerprint(settings.environment), clock.now()
    with _book(settings.state / FILE) as book:
        entry = book.get(mark)
        if entry is not None and now < datetime.fromisoformat(entry["next"]):
            entry["times"] += 1
            return ""
        message = named.message(settings.environment)
        told, answers = _send(settings, named, message, entry, post or Providers(clock))
        if not told:
            words = f"nobody was told: {'; '.join(answers) or 'crosswalk.toml names no channel'}"
            LOG.error("%s. The alert was: %s", words, message.plain())
            return words
        first = datetime.fromisoformat(entry["first"]) if entry else now
        book[mark] = {
            "first": first.isoformat(), "next": next_reminder(first, now).isoformat(), "told": told,
            "times": (entry["times"] if entry else 0) + 1, "id": entry["id"] if entry else uuid.uuid4().hex,
            "trouble": _plain(named),
        }  # fmt: skip
    return ""


def _send(
    settings: Settings, trouble: Trouble, message: Message, entry: dict[str, Any] | None, post: Post
) -> tuple[list[tuple[str, str]], list[str]]:
    """Send to every channel that it concerns; channels with what they call the first message, and what went wrong."""
    owner = trouble.owner or routing.owner_of(settings, trouble.binding)
    owners = [owner] if owner else routing.owners_of(settings, trouble.connection) if trouble.connection else []
    before = dict(entry["told"]) if entry else {}
    told, answers = dict(before), []
    for name in routing.channels(settings, owners):
        kind = "reminder" if name in before else "opened"
        if not routing.takes(settings, name, kind):
            continue
        told_of = replace(message, about="told directly")
        delivery = Delivery(
            settings.channels[name], kind, uuid.uuid4().hex, "direct", len(before), told_of, root=before.get(name, ""),
            subject=message.title, zone=settings.alerts.zone,
        )  # fmt: skip
        try:
            told.setdefault(name, post.send(delivery).ref)
        except NotTaken as error:
            answers.append(f"{name}: {redact.text(error.what)}")
            LOG.error("not told on %s: %s", name, redact.text(error.what))
        except Exception as error:  # noqa: BLE001 - whatever a channel does must not hide what the alert is about
            answers.append(f"{name}: {redact.text(f'{type(error).__name__}: {error}')}")
            LOG.error("not told on %s: %s", name, answers[-1])
    return list(told.items()), answers


def hand_over(settings: Settings, incidents: Incidents) -> None:
    """Put what was told without the store into it. Raises StoreError when it is still away."""
    if not (settings.state / FILE).exists() and not _unwritten:
        return
    with _book(settings.state / FILE) as book:
        for mark, entry in list(book.items()):
            trouble = _read(entry["trouble"])
            incidents.adopt(
                replace(trouble, run=f"direct-{entry['id']}"), [(c, r) for c, r in entry["told"]], int(entry["times"]),
                datetime.fromisoformat(entry["first"]),
            )  # fmt: skip
            if trouble.kind == STORE_GONE:
                incidents.clear("the store answers again", kinds=[STORE_GONE])
            del book[mark]


@contextmanager
def _book(path: Path) -> Iterator[dict[str, Any]]:
    """What was told, under a lock; written back at the end. A file that cannot be used is made up for in memory."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_suffix(".lock").open("w")
    except OSError as error:
        LOG.error("what is told directly cannot be remembered in %s: %s", path, error)
        yield _unwritten
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        book = _load(path) | _unwritten
        try:
            yield book
        finally:
            _keep(path, book)


def _load(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        LOG.error("%s cannot be read, so something may be told twice: %s", path, error)
        return {}


def _keep(path: Path, book: dict[str, Any]) -> None:
    _unwritten.clear()
    try:
        if not book:
            path.unlink(missing_ok=True)
            return
        part = path.with_suffix(".part")
        part.write_text(json.dumps(book), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        LOG.error("what is told directly cannot be remembered in %s: %s", path, error)
        _unwritten.update(book)


def _plain(trouble: Trouble) -> dict[str, Any]:
    """A trouble as JSON, without secrets: it lies on the disk until the store is back."""
    safe = clean(trouble.message(""))
    values = asdict(replace(trouble, what=safe.cause, facts=(), code=nobody(redact.text(trouble.code))))
    return {**values, "facts": [[f.label, f.text] for f in safe.facts]}


def _read(values: dict[str, Any]) -> Trouble:
    link = tuple(values["link"]) if values.get("link") else None
    return Trouble(**{**values, "facts": tuple(Fact(*fact) for fact in values["facts"]), "link": link})
