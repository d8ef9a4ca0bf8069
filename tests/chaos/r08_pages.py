"""R8: listings that play games with whoever reads them, through a proxy in front of the practice shop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import listing_games as games
from practising import Ground, practice
from scenario import Result

from crosswalk.connectors import shopify
from crosswalk.errors import CrosswalkError

TITLE = "pages that move, repeat, are empty or missing; totals that lie; a ceiling"
REPEATS = 2
LONG = ("no list", "half a word of the end", "a total too low")
"""Games that are played in the whole size alone: each is much like another."""


def run(folder: Path, whole: bool) -> Result:
    """120 orders and every game in the whole size, 14 and those that differ most in the short one."""
    ground = Ground(folder / "home", f"sqlite:///{folder / 'store.db'}")
    result = Result()
    small = 10 if whole else 3
    try:
        with _small_pages(small):
            for name, make in _games(ground, small).items():
                if not whole and name in LONG:
                    continue
                _play(ground, name, make, 120 if whole else 14, result)
    finally:
        ground.close()
    return result


def _games(ground: Ground, small: int) -> dict[str, Callable[[], games.Game]]:
    return {
        "one cursor again and again": games.SameCursor,
        "two cursors in a circle": games.TwoCursors,
        "an empty page in the middle": games.EmptyMiddle,
        "a null list": lambda: games.NoList(False),
        "no list": lambda: games.NoList(True),
        "no word of the end": lambda: games.NoEnd(False),
        "half a word of the end": lambda: games.NoEnd(True),
        "a total too high": lambda: games.Total(3),
        "a total too low": lambda: games.Total(-3),
        "records that move": lambda: games.Moving(_mover(ground)),
        "a ceiling": lambda: games.Ceiling(3 * small),
    }


@contextmanager
def _small_pages(size: int) -> Iterator[None]:
    """Many pages of few orders."""
    before = shopify.FIRST_PAGE, shopify.LARGEST_PAGE, shopify.DEEPEST
    shopify.FIRST_PAGE, shopify.LARGEST_PAGE = size, size
    try:
        yield
    finally:
        shopify.FIRST_PAGE, shopify.LARGEST_PAGE, shopify.DEEPEST = before


def _mover(ground: Ground) -> Callable[[], None]:
    ids, numbers = ground.control.ids("orders"), count()

    def move() -> None:
        number = next(numbers)
        if number < 6:
            ground.clock.advance(1)
            ground.control.edit("orders", ids[number * 3 % len(ids)], {"note": f"moved {number}"})

    return move


def _play(ground: Ground, name: str, make: Callable[[], games.Game], orders: int, result: Result) -> None:
    """One game: the run goes well or ends with the error that names it; then, without the game, nothing is missing."""
    ground.fresh(orders=orders)
    proxy = games.Proxy(practice()[0].ready["addresses"]["shopify"])
    try:
        file = ground.folder / "crosswalk.toml"
        file.write_text(file.read_text().replace(proxy.upstream, proxy.address))
        ground.run("customers")
        game = proxy.game = make()
        # A listing is begun anew before the ceiling of the system that has one.
        shopify.DEEPEST = 2 * shopify.FIRST_PAGE if isinstance(game, games.Ceiling) else 20_000
        told = _ended(ground)
        result.must(game.played > 0, f"{name}: was not played")
        result.must(told.startswith(game.stops) if game.stops else not told, f"{name}: the run ended with {told!r}")
        if game.stops == "Incomplete":
            result.must(game.played <= REPEATS, f"{name}: went round {game.played} times")
        result.faults += game.played
        proxy.game = games.Game()
        ground.later(700)
        result.must(not (again := _ended(ground)), f"{name}: the run after it ended with {again!r}")
        wrong = ground.verdict()
        result.lost += sum(1 for line in wrong if line.endswith("missing"))
        result.doubled += sum(1 for line in wrong if "twice" in line)
        result.wrong += [f"{name}: {line}" for line in wrong[:3]]
        result.notes.append(f"{name}: {told.partition(':')[0] or 'read whole'}, then nothing missing")
    finally:
        ground.close()
        proxy.close()


def _ended(ground: Ground) -> str:
    """Run the orders; the error that the run ended with, or nothing."""
    try:
        ground.run("orders")
    except CrosswalkError as error:
        return f"{type(error).__name__}: {error.what}"
    return ""
