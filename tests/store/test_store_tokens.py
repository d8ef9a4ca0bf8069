"""Tokens at rest: the store's side of the HTTP layer's token protocol."""

from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from crosswalk.clock import SharedClock
from crosswalk.http.protocols import Token, TokenStore
from crosswalk.store.engine import Store
from crosswalk.store.tables import TOKEN
from crosswalk.store.tokens import Tokens
from crosswalk.store.vault import PRACTICE_KEY, Vault

FORK = multiprocessing.get_context("fork")
WHO = "sandbox/books/tenant"


def token(clock: SharedClock, access: str = "access-canary", refresh: str = "refresh-canary") -> Token:
    return Token(access, clock.now(), clock.now() + timedelta(minutes=30), refresh, "a b")


def test_it_is_a_token_store(store: Store, clock: SharedClock) -> None:
    """What was saved is read as it was, with the version the store gave it; nothing is read of what was never saved."""
    tokens: TokenStore = Tokens(store)
    assert tokens.read(WHO) is None
    assert tokens.save(WHO, token(clock), 0)
    found = tokens.read(WHO)
    assert found is not None and found.version == 1
    assert (found.access, found.refresh, found.scope) == ("access-canary", "refresh-canary", "a b")
    assert found.expires_at == clock.now() + timedelta(minutes=30)
    assert tokens.read(WHO + "2") is None


def test_it_lies_sealed(store: Store, clock: SharedClock) -> None:
    """Neither half of a token stands readable in the database."""
    Tokens(store).save(WHO, token(clock), 0)
    with store.reading() as connection:
        kept = bytes(connection.execute(select(TOKEN.c.sealed)).scalar_one())
    assert b"canary" not in kept and b"canary" in store.vault.open(kept)


def test_saving_is_compare_and_set(store: Store, clock: SharedClock) -> None:
    """A token that was made from an older one is not saved over a newer one."""
    tokens = Tokens(store)
    assert tokens.save(WHO, token(clock, "one"), 0)
    assert tokens.save(WHO, token(clock, "two"), 1)
    assert not tokens.save(WHO, token(clock, "late"), 1)
    assert not tokens.save(WHO, token(clock, "first again"), 0)
    found = tokens.read(WHO)
    assert found is not None and (found.access, found.version) == ("two", 2)


def test_a_claim_is_one_holders(store: Store, clock: SharedClock) -> None:
    """Others are refused until it is given back or its time is over; giving back another's does nothing."""
    tokens = Tokens(store)
    assert tokens.claim(WHO, "one", 30)
    assert tokens.claim(WHO, "one", 30)
    assert not tokens.claim(WHO, "two", 30)
    tokens.release(WHO, "two")
    assert not tokens.claim(WHO, "two", 30)
    tokens.release(WHO, "one")
    assert tokens.claim(WHO, "two", 30)
    clock.advance(31)
    assert tokens.claim(WHO, "three", 30)


def test_a_claim_before_the_first_token_is_no_token(store: Store, clock: SharedClock) -> None:
    """Claiming the right to make the first token leaves nothing to read, and it can be saved then."""
    tokens = Tokens(store)
    assert tokens.claim(WHO, "one", 30)
    assert tokens.read(WHO) is None
    assert tokens.save(WHO, token(clock), 0)
    assert not tokens.claim(WHO, "two", 30)


def test_holders_that_begin_alike_are_two(store: Store) -> None:
    """A holder's name is compared whole, wildcards and separators in it included."""
    tokens = Tokens(store)
    assert tokens.claim(WHO, "a", 30)
    for other in ("a|b", "%", "_", "ab"):
        assert not tokens.claim(WHO, other, 30)
        tokens.release(WHO, other)
    assert not tokens.claim(WHO, "b", 30)


def _tokens(url: str, clock: Path) -> Tokens:
    return Tokens(Store(url, clock=SharedClock(clock), vault=Vault(PRACTICE_KEY), durable=False))


def _claim(url: str, clock: Path, barrier: Any, told: Any, turn: int) -> None:
    tokens = _tokens(url, clock)
    barrier.wait()
    try:
        told.put(tokens.claim(f"{WHO}{turn}", f"holder {os.getpid()}", 60))
    except BaseException as error:
        told.put(repr(error))
    barrier.wait()


def test_of_processes_that_claim_at_once_one_gets_it(store: Store, clock: SharedClock, tmp_path: Path) -> None:
    """Six processes claim in the same moment, ten times, before there is a row: one holder, no error."""
    for turn in range(10):
        barrier, told = FORK.Barrier(6), FORK.Queue()
        children = [
            FORK.Process(target=_claim, args=(store.url, tmp_path / "clock", barrier, told, turn)) for _ in range(6)
        ]
        for one in children:
            one.start()
        answers = [told.get(timeout=60) for _ in children]
        for one in children:
            one.join(30)
        assert sorted(map(str, answers)) == ["False"] * 5 + ["True"], answers


def _save(url: str, clock: Path, barrier: Any, told: Any) -> None:
    tokens = _tokens(url, clock)
    made = token(SharedClock(clock), f"of {os.getpid()}")
    barrier.wait()
    try:
        told.put((os.getpid(), tokens.save(WHO, made, 0)))
    except BaseException as error:
        told.put((os.getpid(), repr(error)))


def test_of_processes_that_save_a_first_token_at_once_one_does(store: Store, tmp_path: Path) -> None:
    """The token that is read is the one whose saver was told so."""
    barrier, told = FORK.Barrier(6), FORK.Queue()
    children = [FORK.Process(target=_save, args=(store.url, tmp_path / "clock", barrier, told)) for _ in range(6)]
    for one in children:
        one.start()
    answers = dict(told.get(timeout=60) for _ in children)
    for one in children:
        one.join(30)
    [winner] = [pid for pid, answer in answers.items() if answer is True]
    assert sorted(map(str, answers.values())) == ["False"] * 5 + ["True"], answers
    found = Tokens(store).read(WHO)
    assert found is not None and found.access == f"of {winner}"


def test_the_claim_of_a_killed_process_is_followed_at_once(store: Store, tmp_path: Path) -> None:
    """A process dies between claim and save: the next one need not wait for the claim to run out."""
    pid = os.fork()
    if pid == 0:
        _tokens(store.url, tmp_path / "clock").claim(WHO, "dead", 3600)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    with store.reading() as connection:
        assert connection.execute(text("SELECT claimed_by FROM token")).scalar_one().startswith("dead|")
    assert Tokens(store).claim(WHO, "next", 30)
