"""What the demo says while it works: progress in a terminal, plain lines where there is none."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from crosswalk.runs.account import FATES

if TYPE_CHECKING:
    from crosswalk.console.demo.runs import Ran

POLL = 0.5
PLAIN_EVERY = 10.0
SHORTEST = 0.1
INDENT = " " * 4


class Show:
    """Says what happens. console: where; times: seconds of each phase so far."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True, legacy_windows=False)
        self.began = self._phase_began = time.monotonic()
        self._phase = ""
        self.times: dict[str, float] = {}

    def phase(self, title: str) -> None:
        """A new part of the demo begins; the one before is timed."""
        now = time.monotonic()
        if self._phase:
            self.times[self._phase] = self.times.get(self._phase, 0.0) + now - self._phase_began
        self._phase, self._phase_began = title, now
        if title:
            self.console.print()
            self._line(f"{clock(now - self.began)}  {title}", "bold")

    def say(self, text: str = "", style: str = "") -> None:
        """One line, or several."""
        for line in text.split("\n"):
            self._line(INDENT + line if line else "", style)

    def _line(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style=style))

    @contextmanager
    def working(self, text: str, measure: Callable[[], str] | None = None) -> Iterator[None]:
        """Show that something is under way, and how far it is. ``measure`` is asked now and then, in a thread."""
        stop = threading.Event()
        began = time.monotonic()
        if not self.console.is_terminal:
            self.say(f"{text} ...")
            reporter = threading.Thread(target=self._plainly, args=(text, measure, stop, began), daemon=True)
            reporter.start()
            try:
                yield
            finally:
                stop.set()
                reporter.join()
            return
        with self.console.status(f"{text} ...") as status:

            def tell() -> None:
                while not stop.wait(POLL):
                    status.update(f"{text} ... {time.monotonic() - began:.0f} s  {asked(measure)}")

            reporter = threading.Thread(target=tell, daemon=True)
            reporter.start()
            try:
                yield
            finally:
                stop.set()
                reporter.join()

    def _plainly(self, text: str, measure: Callable[[], str] | None, stop: threading.Event, began: float) -> None:
        while not stop.wait(PLAIN_EVERY):
            self.say(f"{text} ... {time.monotonic() - began:.0f} s  {asked(measure)}".rstrip())

    def account(self, title: str, ran: Ran, *, where: str, link: str) -> None:
        """What became of every record of a run; newly held rows with their reasons, the others as a count."""
        account = ran.account
        fates = " + ".join(f"{getattr(account, f):,} {f}" for f in FATES if getattr(account, f)) or "none"
        extra = f" and {account.stand_ins} stand-in" if account.stand_ins else ""
        self.say(f"{title}: {where}, {ran.seconds:.0f} s, {counted(account.requests, 'request')}", "bold")
        self.say(f"  {counted(account.read, 'record')} read{extra}; {counted(account.parts, 'part')} = {fates}")
        for held in ran.held:
            self.say(f"  held    {held.count:>4,}  {held.rule}: {short(held.reason)} (e.g. {last(held.key)})", "yellow")
        if account.caught_up:
            self.say(f"  besides {counted(account.caught_up, 'part')} that had waited and now arrived at the target")
        before = sum(count for _, _, count, _ in account.held_by) - sum(held.count for held in ran.held)
        if before > 0:
            self.say(f"  held    {before:>4,}  since earlier runs", "yellow")
        for count, words in waits(account.waits_for) if account.parked else ():
            self.say(f"  parked  {count:>4,}  {words}", "cyan")
        for rule, count in sorted(account.skipped_by.items(), key=lambda item: -item[1]):
            self.say(f"  skipped {count:>4,}  {rule}", "dim")
        if account.stopped:
            self.say(f"  stopped early: {account.stopped}")
        self.say(f"  {link}", "blue")

    def message(self, message: Mapping[str, Any]) -> None:
        """An alert as it arrived at the sink, block by block."""
        lines = [line for block in message.get("blocks", []) for line in block_lines(block)]
        text = Text("\n".join(lines or [str(message.get("text", ""))]))
        if self.console.is_terminal:
            self.console.print(Panel(text, title="Slack", border_style="red", padding=(0, 2)))
        else:
            self.say("\n".join("| " + line for line in str(text).split("\n")))

    def timings(self, cpu: float, kept: bool = False) -> None:
        """Seconds of each phase and of the whole."""
        total = time.monotonic() - self.began
        for title, seconds in self.times.items():
            if seconds >= SHORTEST:
                self.say(f"{seconds:>6.1f} s  {title}")
        load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores" if hasattr(os, "getloadavg") else ""
        whose = "of this process; the others go on" if kept else "of all processes"
        self.say(f"{total:>6.1f} s  in all, {cpu:.0f} CPU seconds {whose}; {load}", "bold")


def asked(measure: Callable[[], str] | None) -> str:
    """What the measure says; it may come too early or too late, and then says nothing."""
    if measure is None:
        return ""
    try:
        return measure()
    except Exception:  # noqa: BLE001 - progress is shown where it can be; it never stops the work
        return ""


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def short(text: str, most: int = 90) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."


def last(key: str) -> str:
    """``gid://shopify/Order/42`` is order 42 to a person."""
    kind, _, number = key.removeprefix("gid://shopify/").partition("/")
    return f"{kind.lower()} {number}" if number else key


def waits(waits_for: Mapping[str, int]) -> list[tuple[int, str]]:
    """How many parts wait for which kind of record, most first."""
    sums: Counter[str] = Counter()
    for name, count in waits_for.items():
        kind = name.rpartition("|")[2].partition(".")[2]
        sums[kind.removesuffix("s").replace("_", " ")] += count
    return [(count, f"until their {kind} is there") for kind, count in sums.most_common()]


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def block_lines(block: Mapping[str, Any]) -> Iterable[str]:
    """A Block Kit block as lines of text."""
    text = block.get("text")
    if isinstance(text, Mapping):
        yield from plain(str(text.get("text", ""))).split("\n")
    for field in block.get("fields", ()):
        label, _, value = plain(str(field.get("text", ""))).partition("\n")
        yield f"{label}: {value}"
    for element in block.get("elements", ()):
        words = element.get("text", "")
        words = words.get("text", "") if isinstance(words, Mapping) else words
        yield f"[{words}] {element['url']}" if "url" in element else plain(str(words))


def plain(text: str) -> str:
    """Slack's markup as the words that a reader sees."""
    text = re.sub(r"<!date\^\d+\^[^|>]*\|([^>]*)>", r"\1", text)
    text = re.sub(r"[*`]+", "", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()
