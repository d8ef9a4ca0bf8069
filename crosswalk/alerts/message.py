"""What an alert says, whatever channel carries it: a failed run, or rows that are newly held.

Everything here is plain values, so that an alert can be made when the store is gone. Every text is redacted when the
message is built: no channel ever sees a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from crosswalk.errors import (
    BadCredentials,
    Busy,
    ConsentNeeded,
    CrosswalkError,
    Fenced,
    KeyTrouble,
    MappingError,
    SettingsError,
    SourceError,
    StoreError,
    TooManyDeleted,
    TooManyHeld,
    Transient,
    Unbalanced,
    VendorError,
)
from crosswalk.http import redact

KEYS = 5
MENTION = "For"
"""The label of the fact that names whom an escalation is for; only there may a text call people."""


@dataclass(frozen=True)
class Fact:
    """One labelled line of a message. at: the instant it is about, UTC, shown in the reader's own zone."""

    label: str
    text: str
    at: datetime | None = None


@dataclass(frozen=True)
class Message:
    """An alert as a channel renders it. severity: error or warning. cause: verbatim text, such as an error.

    then: what happens next by itself.  command: what a person may type next.  link: (words, address) of the run.
    about: the fingerprint of what went wrong, the same for the same trouble.
    """

    severity: str
    title: str
    facts: tuple[Fact, ...]
    cause: str
    then: str
    command: str
    link: tuple[str, str] | None
    about: str

    def plain(self) -> str:
        """The whole message as text."""
        lines = [self.title, *(f"{f.label}: {f.text}" for f in self.facts)]
        lines += [self.cause] if self.cause else []
        lines += [f"Next by itself: {self.then}"] if self.then else []
        lines += [f"To do: {self.command}"] if self.command else []
        lines += [f"{self.link[0]}: {self.link[1]}"] if self.link else []
        return "\n".join(lines)


@dataclass(frozen=True)
class Impact:
    """What a trouble keeps from happening, as far as the store could tell.

    rows: state → how many records.  money: (resource, amount, currency) of what waits to be written.
    since: when the first run failed after the last good one.  failures: how many in a row, this one included.
    last_good: the end of the last balanced run.  known: False when the store could not be asked.
    """

    rows: tuple[tuple[str, int], ...] = ()
    money: tuple[tuple[str, Decimal, str], ...] = ()
    since: datetime | None = None
    failures: int = 1
    last_good: datetime | None = None
    known: bool = True

    def words(self) -> str:
        """Rows and money in one line."""
        if not self.known:
            return "the store could not be asked"
        rows = ", ".join(f"{count:,} {state}" for state, count in self.rows) or "no record waits"
        money = ", ".join(f"{name} {amount:,.2f} {unit}".rstrip() for name, amount, unit in self.money)
        return f"{rows}; {money}" if money else rows


UNKNOWN = Impact(known=False)


@dataclass(frozen=True)
class Failure:
    """A run that failed after its last retry, or ended without a word.

    about: the kind of trouble where it is no plain failure, such as run_died.  connection: whose account refused or
    was away (name or key).  code: the vendor's own, where there is one.
    """

    binding: str
    environment: str
    integration: str
    step: str
    kind: str
    what: str
    at: datetime
    record: str = ""
    safe: str = ""
    command: str = ""
    then: str = ""
    impact: Impact = UNKNOWN
    run: str = ""
    link: str = ""
    about: str = ""
    connection: str = ""
    code: str = ""

    def message(self, about: str) -> Message:
        """The failure as a message, redacted."""
        since = self.impact.since or self.at
        facts = [
            Fact("Binding", f"{self.binding} ({self.integration})" if self.integration else self.binding),
            Fact("Step", self.step),
            Fact("Failing since", f"{since:%Y-%m-%d %H:%M} UTC{_times(self.impact.failures)}", since),
            Fact("Waiting", self.impact.words()),
        ]
        if self.impact.last_good:
            facts.append(Fact("Last good run", f"{self.impact.last_good:%Y-%m-%d %H:%M} UTC", self.impact.last_good))
        elif self.impact.known:
            facts.append(Fact("Last good run", "none yet"))
        if self.record:
            facts.append(Fact("Record", self.record))
        if self.safe:
            facts.append(Fact("Safe", self.safe))
        return clean(
            Message(
                severity="error",
                title=f"[{self.environment}] {self.binding} failed: {self.kind}",
                facts=tuple(facts),
                cause=self.what,
                then=self.then,
                command=self.command or f"crosswalk run {self.binding}",
                link=_link(self.run, self.link),
                about=about,
            )
        )


@dataclass(frozen=True)
class HeldRows:
    """Rows of one rule that were not held before."""

    binding: str
    environment: str
    rule: str
    field: str
    reason: str
    count: int
    keys: tuple[str, ...]
    by_person: bool = False
    run: str = ""
    link: str = ""

    def message(self, about: str) -> Message:
        """The warning as a message, redacted."""
        keys = ", ".join(self.keys[:KEYS]) + (", …" if self.count > len(self.keys[:KEYS]) else "")
        rows = "row" if self.count == 1 else "rows"
        return clean(
            Message(
                severity="warning",
                title=f"[{self.environment}] {self.binding}: {self.count:,} {rows} held by {self.rule!r}",
                facts=(
                    Fact("Rule", self.rule + (f" on {self.field}" if self.field else "")),
                    Fact("Newly held", f"{self.count:,}" + (", as a person's decision" if self.by_person else "")),
                    Fact("Keys", keys),
                ),
                cause=self.reason,
                then="The other rows went on. A held row is tried again when its rule, table or record changes.",
                command=f"crosswalk held list {self.binding}",
                link=_link(self.run, self.link),
                about=about,
            )
        )


def failure_of(
    error: BaseException, *, binding: str, environment: str, integration: str, step: str, at: datetime,
    impact: Impact = UNKNOWN, run: str = "", link: str = "",
) -> Failure:  # fmt: skip
    """The failure that an error means. Anything but a CrosswalkError is a mistake in the program and says so."""
    known = isinstance(error, CrosswalkError)
    return Failure(
        binding=binding, environment=environment, integration=integration, step=step, kind=type(error).__name__,
        what=error.what if isinstance(error, CrosswalkError) else (str(error) or type(error).__name__), at=at,
        record=error.record if isinstance(error, CrosswalkError) else "",
        safe=error.safe if isinstance(error, CrosswalkError) else "what was committed stands",
        command=error.next_command if isinstance(error, CrosswalkError) else "",
        then=by_itself(error) if known else "The next run goes on where the last commit stands; the mistake may recur.",
        impact=impact, run=run, link=link,
        connection=error.connection if isinstance(error, VendorError) else "",
        code=error.code if isinstance(error, VendorError) else "",
    )  # fmt: skip


_THEN: Sequence[tuple[type[BaseException], str]] = (
    (ConsentNeeded, "Nothing: every run fails until a person has connected the account again. Nothing is lost."),
    (BadCredentials, "Nothing: every run fails until the credentials are mended. The cursor stands; nothing is lost."),
    (KeyTrouble, "Nothing: every run fails until the key is set. Nothing was read or written."),
    (SettingsError, "Nothing: every run fails until the setting is mended. Nothing was read or written."),
    (MappingError, "Nothing: every run fails until the mapping is mended or signed off. The cursor stands."),
    (Busy, "The other process goes on; the next scheduled run starts when it has ended."),
    (Fenced, "The process that took over goes on; the next scheduled run does what is left."),
    (TooManyHeld, "The next run stops at the same rows until their cause is mended; the cursor stands before them."),
    (TooManyDeleted, "The next run stops at the same rows until more may go; the cursor stands before them."),
    (Unbalanced, "The next run counts again; what was committed stands."),
    (SourceError, "The next run reads the same window again; nothing of it was passed over."),
    (StoreError, "The next scheduled run starts at the last commit, once the store answers."),
    (Transient, "The next scheduled run starts at the last commit and does only what is left."),
)


def by_itself(error: BaseException) -> str:
    """What happens next without anybody."""
    for kind, words in _THEN:
        if isinstance(error, kind):
            return words
    return "The next scheduled run starts at the last commit and does only what is left."


def clean(message: Message) -> Message:
    """The same message without anything that is known or looks like a secret."""
    return Message(
        severity=message.severity,
        title=nobody(redact.text(message.title)),
        facts=tuple(Fact(f.label, nobody(redact.text(f.text)), f.at) for f in message.facts),
        cause=nobody(redact.text(message.cause)),
        then=nobody(redact.text(message.then)),
        command=nobody(redact.text(message.command)),
        link=(redact.text(message.link[0]), redact.text(redact.url(message.link[1]))) if message.link else None,
        about=message.about,
    )


_MAIL = re.compile(r"(?<![\w.+'-])[\w.+'-]{1,64}@[\w-]{1,63}(\.[\w-]{1,63}){1,9}")
_PHONE = re.compile(r"(?<![\w.])\+\d[\d ()/-]{6,18}\d(?![\w.])")


def nobody(text: str) -> str:
    """The text without e-mail addresses and telephone numbers: an alert is read by more people than the record is."""
    return _PHONE.sub("[telephone]", _MAIL.sub("[e-mail]", text))


def pack(message: Message) -> str:
    """The message as JSON text, for the store."""
    return json.dumps(
        {
            "severity": message.severity, "title": message.title, "cause": message.cause, "then": message.then,
            "facts": [[f.label, f.text, f.at.isoformat() if f.at else None] for f in message.facts],
            "command": message.command, "link": message.link, "about": message.about,
        },
        ensure_ascii=False,
    )  # fmt: skip


def unpack(text: str) -> Message:
    """What `pack` made of a message."""
    values = json.loads(text)
    facts = tuple(Fact(name, words, datetime.fromisoformat(at) if at else None) for name, words, at in values["facts"])
    return Message(**{**values, "facts": facts, "link": tuple(values["link"]) if values["link"] else None})


def _times(failures: int) -> str:
    return f", {failures} times in a row" if failures > 1 else ""


def _link(run: str, address: str) -> tuple[str, str] | None:
    return (run or "The run in Prefect", address) if address else None
