"""What the rest of Crosswalk says when a person has to know of something: a Trouble. It becomes an incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from crosswalk.alerts.fingerprint import fingerprint
from crosswalk.alerts.message import Fact, Failure, HeldRows, Message, clean

CRITICAL, ERROR, WARNING, INFO = "critical", "error", "warning", "info"
SEVERITIES = (CRITICAL, ERROR, WARNING, INFO)

RUN_FAILED = "run_failed"
RUN_DIED = "run_died"
HELD = "held"
CONNECTION = "connection"
CHANNEL_BROKEN = "channel_broken"
STORE_GONE = "store_gone"

AUTH, OUTAGE, LIMIT = "auth", "outage", "limit"
FAMILIES = {
    "ConsentNeeded": AUTH, "BadCredentials": AUTH, "Unreachable": OUTAGE, "ServerFault": OUTAGE, "AnswerLost": OUTAGE,
    "Away": OUTAGE, "Throttled": LIMIT,
}  # fmt: skip
"""Error classes whose root is a connection: of all that fail by one family, one incident of the connection tells."""

GRAVE = ("ConsentNeeded", "BadCredentials", "KeyTrouble", "Unbalanced", "StoreVersion")


@dataclass(frozen=True)
class Trouble:
    """One report of something wrong. The same trouble again is counted, not told again.

    kind: run_failed, run_died (crashed, killed, hanging), held, connection (auth, outage, limit of an account),
    channel_broken, store_gone, or a name of the caller's own such as stale, late, silent_webhook, drift, unbalanced,
    token_ending, breaker_open.  binding or connection (name or key) says what it is about; at least one, or step.
    step, error, code: the rest of what tells it from other troubles; of code only what does not vary counts.
    title: one line without the environment.  what: the cause, verbatim; secrets are taken out before it is kept.
    run: the run or event that reports; the same one reporting twice counts once.
    owner: whom it belongs to; empty: the owner of the binding's integration, or those of all that use the connection.
    follows: it is a consequence where a connection is down, and silent while such an incident is open.
    A connection's own trouble (kind connection) is waited for half a minute, so that siblings come in one message.
    """

    kind: str
    title: str
    what: str = ""
    binding: str = ""
    connection: str = ""
    step: str = ""
    error: str = ""
    code: str = ""
    severity: str = ERROR
    facts: Sequence[Fact] = ()
    then: str = ""
    command: str = ""
    link: tuple[str, str] | None = None
    run: str = ""
    owner: str = ""
    follows: bool = False

    def named(self, environment: str, connection: str) -> Trouble:
        """The same with its connection's name and, where a connection is the root, with what all its victims share."""
        family = FAMILIES.get(self.error, self.error)
        if connection and self.kind in (RUN_FAILED, CONNECTION) and family in (AUTH, OUTAGE, LIMIT):
            return replace(self, kind=CONNECTION, connection=connection, step="", error=family, code="")
        return replace(self, connection=connection)

    def fingerprint(self, environment: str) -> str:
        """What every report of this trouble shares."""
        grouped = self.kind == CONNECTION or not self.binding
        about = f"connection:{self.connection}" if grouped else self.binding
        return fingerprint(environment, self.kind, about, self.step, self.error, self.code)

    def message(self, environment: str) -> Message:
        """What a channel is given, without secrets."""
        return clean(
            Message(
                severity=self.severity, title=f"[{environment}] {self.title}", facts=tuple(self.facts), cause=self.what,
                then=self.then, command=self.command, link=self.link, about="",
            )
        )  # fmt: skip


def of_failure(failure: Failure, owner: str = "", run: str = "") -> Trouble:
    """The trouble that a failed run is. run: its id, so that two who report it count once."""
    message = failure.message("")
    grave = failure.kind in GRAVE
    return Trouble(
        kind=failure.about or RUN_FAILED, title=message.title.partition("] ")[2], what=failure.what,
        binding=failure.binding, connection=failure.connection, step=failure.step, error=failure.kind,
        # A run that died says no more than that, whoever saw it: its hook, a worker, the watch.
        code="" if failure.about == RUN_DIED else failure.code or failure.what,
        severity=CRITICAL if grave else ERROR, facts=message.facts,
        then=failure.then, command=message.command, link=message.link, run=run or failure.run, owner=owner,
    )  # fmt: skip


def of_held(held: HeldRows, owner: str = "", run: str = "") -> Trouble:
    """The trouble that newly held rows of one rule are."""
    message = held.message("")
    return Trouble(
        kind=HELD, title=message.title.partition("] ")[2], what=held.reason, binding=held.binding, step="held",
        error=held.rule, severity=WARNING, facts=message.facts, then=message.then, command=message.command,
        link=message.link, run=run or held.run, owner=owner,
    )  # fmt: skip
