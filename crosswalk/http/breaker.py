"""When a system counts as away: what opens the breaker of its connection, and what does not."""

from __future__ import annotations

from dataclasses import replace

from crosswalk.errors import AnswerLost, Away, ServerFault, Throttled, Unreachable, VendorError
from crosswalk.http.answer import Answer
from crosswalk.http.protocols import Admission, Breaker


class NoBreaker:
    """Lets everything pass: for systems that nobody shares, and for tests."""

    def admit(self, connection: str) -> Admission:
        return Admission()

    def away(self, connection: str) -> Away | None:
        return None

    def failed(self, connection: str, admission: Admission, why: str) -> bool:
        return False

    def passed(self, connection: str, admission: Admission) -> None:
        pass

    def dropped(self, connection: str, admission: Admission) -> None:
        pass


class Watched:
    """One request as its connection's breaker sees it, over all its tries."""

    def __init__(self, breaker: Breaker, connection: str) -> None:
        self._breaker, self._connection = breaker, connection
        self._admission = breaker.admit(connection)
        self._settled = not self._admission.probe

    def saw(self, outcome: Answer | VendorError, answered: bool) -> bool:
        """Note how a try went; whether no further one may follow. answered: a whole answer came."""
        mine = self._admission
        if isinstance(outcome, VendorError) and at_fault(outcome, answered):
            self._settled = True
            opened = self._breaker.failed(self._connection, mine, outcome.what)
            self._admission = replace(mine, failures=mine.failures + 1)
            return opened or bool(mine.probe)
        if mine.probe or not isinstance(outcome, Throttled):
            # Whoever answers, if only to refuse, is there. Waiting for a limit says nothing of failures before it.
            self._settled = True
            self._breaker.passed(self._connection, mine)
            self._admission = Admission()
        return False

    def end(self) -> None:
        """The request is over; a probe that came to nothing is given back."""
        if not self._settled:
            self._breaker.dropped(self._connection, self._admission)


def at_fault(error: VendorError, answered: bool) -> bool:
    """Whether an error says that the system is away: no connection, no whole answer in time, or a fault of its own.

    A limit and a refusal are answers; so is one that cannot be read.
    """
    if isinstance(error, AnswerLost):
        return not answered
    return isinstance(error, (Unreachable, ServerFault))
