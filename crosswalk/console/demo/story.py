"""The demo from beginning to end: start, run, change and run again, fail, mend, rerun, compare."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from crosswalk.console.demo import mend, verdict
from crosswalk.console.demo.home import PREFIX, Home
from crosswalk.console.demo.processes import DemoError, Processes
from crosswalk.console.demo.services import Services, command, shown
from crosswalk.console.demo.show import Show, counted

if TYPE_CHECKING:
    from crosswalk.console.demo.runs import Ran, Runs
    from crosswalk.runs.wiring import House
    from crosswalk.sandbox.control import Control

TITLES = {
    "customers": "customers to contacts",
    "orders": "orders to invoices",
    "orders-to-database": "orders to database",
}
# A run reads up to a minute before now, because the shop's search lags behind; changes are dated before that.
SETTLED = timedelta(seconds=62)
FAILING = ("change_refund", "change_paid", "change_edit_unpaid")


class Story:
    """One demo. The steps are its methods, in order."""

    def __init__(self, home: Home, processes: Processes, show: Show) -> None:
        self.home, self.show = home, show
        self.services = Services(home, processes)
        self.house: House | None = None
        self.runs: Runs
        self.last: Ran
        self.claimed = False

    @property
    def control(self) -> Control:
        return self.services.control

    def run(self) -> list[str]:
        """All steps; returns the differences that the verdict found. Raises DemoError."""
        self.start()
        self.first()
        self.change()
        self.fail()
        return self.compare()

    def start(self) -> None:
        """Everything side by side: what waits for nothing waits for nothing."""
        show, home, options = self.show, self.home, self.home.options
        show.phase("Starting practice systems, Prefect server and worker side by side")
        self.claim()
        self.services.begin()
        with show.working("loading Prefect, pandas and the mappings"):
            _load()
        with show.working("waiting for the practice systems"):
            self.services.wait_for_practice()
        home.settle(self.services.ready)
        about = self.control.about()
        show.say(
            f"practice Shopify, Xero and Slack: {about['orders']:,} orders, {about['lines']:,} lines, "
            f"{about['customers']:,} customers, from seed {options.seed}; a share of requests fails on purpose"
        )
        show.say(
            f"their minute lasts {options.minute:g} s (CROSSWALK_DEMO_MINUTE), so that limits such as Xero's 60 calls "
            "a minute come back sooner"
        )
        self._open()
        with show.working("waiting for the Prefect server"):
            self.services.wait_for_server()
        show.say(f"Prefect server: {home.ui}")
        self.services.start_worker()
        self._deploy()

    def _open(self) -> None:
        from crosswalk.runs.wiring import House
        from crosswalk.settings import load

        os.chdir(self.home.folder)
        self.house = house = House(load(self.home.folder, "sandbox"))
        self.control.call("xero.register", f"http://localhost:{self.home.callback}/callback")
        mend.consent(house, self.services.ready["credentials"]["xero"]["refresh_token"])

    def claim(self) -> None:
        """Take a database that somebody lent. Raises DemoError when it is not empty; then it is left as it is."""
        if self.home.options.database:
            verdict.require_empty(self.home.database)
            self.claimed = True

    def _deploy(self) -> None:
        from crosswalk.console.demo.runs import Runs
        from crosswalk.prefect_deploy import deploy

        assert self.house is not None
        deployed = deploy(self.home.folder)
        self.runs = Runs(self.home, self.house, {one.binding: one.id for one in deployed})
        self.show.say(
            f"{len(deployed)} deployments of prefect.yaml; their schedules are off, the demo starts every run"
        )

    def first(self) -> None:
        """The first run of every binding: one through the worker, the others here."""
        show = self.show
        show.phase("First run: everything the shop has")
        through_worker = self.runs.ask_worker("orders-to-database")
        for binding in ("customers", "orders"):
            self._here(binding)
        with show.working("orders to database, through the worker", lambda: self._progress("orders-to-database")):
            ran = self.runs.wait(through_worker)
        self._account("orders-to-database", ran, "through the worker")
        warnings = sum("thread_ts" not in one["message"] for one in self.control.messages())
        show.say(f"Slack got {counted(warnings, 'warning')} of newly held rows, one for each rule")
        show.say(f"on purpose failed: {troubles(self.control)}")

    def change(self) -> None:
        """A hundredth of the orders changes; only that is written."""
        show, share = self.show, self.home.options.share
        show.phase(f"Second run: {share:.0%} of the orders changed at the source")
        made = self._change(share)
        show.say(f"{counted(len(made), 'change')}: {_kinds(made)}")
        for binding in TITLES:
            before = self.control.counts()
            self._here(binding)
            show.say(f"  arrived at {arrived(before, self.control.counts())}")

    def fail(self) -> None:
        """A run fails for a cause that operators meet; its alert, the cure, and the same run again."""
        show = self.show
        show.phase("A run that fails: somebody disconnects the app in Xero")
        made = self._change(0.003, FAILING)
        show.say(f"{counted(len(made), 'more change')}: {_kinds(made)}; then every grant is revoked")
        seen = len(self.control.messages())
        self.control.call("xero.revoke_all")
        failed = self._here("orders", good=False)
        show.say("the alert as it arrived:")
        show.message(self._told("orders failed", seen))
        show.phase("Mending the cause and running the same run again")
        with show.working("a person follows the alert: crosswalk connect books"):
            said = mend.connect(self.home)
        show.say(said)
        before = self.control.counts()
        with show.working(
            "Retry, as Prefect's pages do it; the worker takes the run", lambda: self._progress("orders")
        ):
            again = self.runs.wait(self.runs.retry(failed), attempts=failed.attempts + 1)
        self._account("orders", again, f"attempt {again.attempts} of {again.name}, through the worker")
        show.say(f"  arrived at {arrived(before, self.control.counts())}")
        show.say("and its recovery, in the alert's own thread:")
        show.message(self._told("recovered: orders failed", seen, threaded=True))
        self._here("orders-to-database")

    def _told(self, words: str, seen: int, threaded: bool = False) -> dict[str, Any]:
        """The message with these words in its title, of those that came since. Raises DemoError when there is none."""
        for one in self.control.messages()[seen:]:
            message = one["message"]
            if words in str(message.get("text", "")).split("\n")[0] and ("thread_ts" in message) == threaded:
                return dict(message)
        raise DemoError(f"nobody was told that {words}")

    def compare(self) -> list[str]:
        """The verdict of the oracle."""
        show = self.show
        show.phase("Verdict: the practice books and the database against the seed generator's own sums")
        with show.working("comparing"):
            found = verdict.differences(self.control, self.home.database, PREFIX)
            expected = self.control.expected()
        for difference in found:
            show.say(difference, "red")
        if not found:
            counts, totals = expected["counts"], expected["totals"]
            names = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items())
            show.say(f"they agree to the cent: {names}", "green")
            show.say(
                "; ".join(f"{name.replace('_', ' ')} EUR {cents / 100:,.2f}" for name, cents in totals.items()), "green"
            )
            rows = expected["database"]
            show.say(
                f"database: {rows['orders']:,} orders, {rows['lines']:,} lines, EUR {rows['total'] / 100:,.2f}", "green"
            )
        return found

    def where_next(self) -> None:
        """What a person may look at now."""
        show, home = self.show, self.home
        show.phase("Where to look next")
        if home.options.keep:
            show.say(f"Prefect's pages   {home.ui}   the last run: {self.runs.address(self.last)}")
        else:
            show.say("Prefect's pages   KEEP=1 make demo leaves everything running to click through")
        show.say(f"held rows         cd {shown(home.folder)} && {command(home.folder)} held list orders")
        show.say("mapping pages     docs/mappings/")
        show.say(f"logs              {shown(home.logs)}")
        if home.options.keep:
            show.say("to stop           make demo-stop")

    def let_go(self) -> None:
        """Send what is still to be said while the server is there, and leave nothing open."""
        if "crosswalk.console.demo.runs" in sys.modules:
            sys.modules["crosswalk.console.demo.runs"].drain()
        if self.house is not None:
            self.house.close()

    def give_back(self) -> None:
        """Take the demo's tables out of a database that somebody lent it, once nothing runs any more."""
        if self.claimed:
            verdict.drop(self.home.database)

    def _here(self, binding: str, good: bool = True) -> Ran:
        with self.show.working(TITLES[binding], lambda: self._progress(binding)):
            ran = self.runs.here(binding)
        if ran.good != good:
            raise DemoError(f"the run of {binding} ended as {ran.state}: {ran.message}")
        if good:
            self._account(binding, ran, "in this process")
        else:
            self.show.say(f"{TITLES[binding]}  {ran.state}: {ran.message.splitlines()[0]}", "red")
        return ran

    def _account(self, binding: str, ran: Ran, where: str) -> None:
        if not ran.good:
            raise DemoError(f"the run of {binding} ended as {ran.state}: {ran.message}")
        self.last = ran
        self.show.account(TITLES[binding], ran, where=where, link=self.runs.address(ran))

    def _progress(self, binding: str) -> str:
        """Requests that have arrived since the beginning, and what there is of the binding by now."""
        arrived = " and ".join(f"{v['total']} at {k}" for k, v in self.control.counts().items() if k != "sink")
        if binding == "orders-to-database":
            return f"requests: {arrived}; {verdict.held(self.home.database)['orders']:,} orders in the database"
        return f"requests: {arrived}; parts: {self.runs.progress(binding) or 'none yet'}"

    def _change(self, share: float, kinds: Sequence[str] = ()) -> list[dict[str, Any]]:
        at = datetime.fromisoformat(self.control.now()) - SETTLED
        return self.control.changes(share, self.home.options.seed, at.isoformat(), kinds)


def _load() -> None:
    """Import what runs need, while the others start."""
    import pandera.pandas  # noqa: F401

    from crosswalk import prefect_deploy  # noqa: F401
    from crosswalk.console.demo import runs  # noqa: F401
    from flows import sync  # noqa: F401


def troubles(control: Control) -> str:
    """The faults that the practice systems have made so far, by kind."""
    kinds: Counter[str] = Counter()
    for system in ("shopify", "xero", "sink"):
        for rule in control.faults(system):
            name = f"status {rule['status']}" if rule["kind"] == "status" else rule["kind"].replace("_", " ")
            kinds[name] += rule["applied"]
    return ", ".join(f"{count} × {name}" for name, count in kinds.most_common() if count) or "nothing"


def _kinds(made: Sequence[dict[str, Any]]) -> str:
    return ", ".join(str(one["case"]).removeprefix("change_").replace("_", " ") for one in made)


def arrived(before: dict[str, Any], after: dict[str, Any]) -> str:
    """How many requests arrived where, and which of them write."""
    told = []
    for system in ("shopify", "xero"):
        count = counted(after[system]["total"] - before[system]["total"], "request")
        old = before[system]["paths"]
        writes = {
            path: number - old.get(path, 0)
            for path, number in after[system]["paths"].items()
            if system == "xero" and path.startswith(("PUT", "POST /api.xro")) and number > old.get(path, 0)
        }
        words = ", ".join(f"{n} {path.replace('/api.xro/2.0/', '')}" for path, n in writes.items())
        told.append(f"{system}: {count}" + (f" ({words})" if words else ""))
    return "; ".join(told)
