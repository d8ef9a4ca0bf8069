"""Showing a run in Prefect's pages: progress while it goes on, its account as a table and in words at the end."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.logging import get_run_logger

from crosswalk.http import redact
from crosswalk.runs import report
from crosswalk.runs.account import Account
from crosswalk.runs.session import Session


class Progress:
    """How far a run has come; where the source names no total it shows what was read."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._artifact: UUID | None = None

    def __call__(self, account: Account) -> None:
        total = self._session.total or len(self._session.request.ids)
        self._show(min(99.0, 100.0 * account.read / total) if total else 0.0, f"{account.read} read")

    def end(self) -> None:
        """Everything is done."""
        self._show(100.0, "done")

    def _show(self, share: float, words: str) -> None:
        def show() -> None:
            if self._artifact is None:
                made: Any = create_progress_artifact(share, key=_key("progress", self._session), description=words)
                self._artifact = made
            else:
                update_progress_artifact(self._artifact, share, description=words)

        quietly(show)


def account(session: Session, found: Account, error: str = "") -> None:
    """The account as a table and in words; error: why the run failed."""
    name = session.binding.name
    rows, words = report.table(session, found), report.page(session, found, error)
    quietly(
        lambda: create_table_artifact(rows, key=_key("account", session), description=f"What became of all of {name}")
    )
    quietly(lambda: create_markdown_artifact(words, key=_key("run", session), description=f"The run of {name}"))


def quietly(show: Callable[[], Any]) -> None:
    """What only shows something never fails a run."""
    try:
        show()
    except Exception as error:  # noqa: BLE001 - a page that cannot be written is no reason to fail
        get_run_logger().warning("an artifact could not be written: %s", redact.text(str(error)))


def _key(kind: str, session: Session) -> str:
    """Prefect's keys hold small letters, digits and dashes."""
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in session.binding.name.lower())
    return f"{kind}-{name.strip('-') or 'binding'}"
