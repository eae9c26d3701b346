"""Orders in whichever thread is free: one that runs for long keeps nobody from hearing the next."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.catalog.gateway.simulator import REPO

PROGRAM = """
import queue, sys, threading, traceback
from catalog.workers.orders import Todo, obey

messages = queue.SimpleQueue()
for each in {messages}:
    messages.put(each)
waiting, released = {messages}.count("wait"), threading.Event()
ending = threading.Barrier(waiting or 1)

printed, print_exc = threading.Event(), traceback.print_exc
traceback.print_exc = lambda: (print_exc(), sys.stderr.flush(), printed.set())
if "fail" not in {messages}:
    printed.set()

def wait():
    sys.stdout.write("waits\\n")
    assert printed.wait(10)  # else the process may end before it is
    assert released.wait(10)
    sys.stdout.write("released\\n")
    sys.stdout.flush()
    if not ending.wait(10):
        messages.put(None)

def refused():
    sys.stdout.write("refused\\n")

def take(message):
    if message == "no more threads":
        def start(self):
            raise RuntimeError("can't start new thread")
        threading.Thread.start = start
        return None
    if message == "wait":
        return Todo(wait, refused)
    if message == "break":
        raise ValueError("no order")
    if message == "fail":
        return Todo(lambda: 1 / 0, refused)
    released.set()
    return None

obey(messages.get, take)
"""


def said(*messages: str | None) -> tuple[int, list[str], str]:
    """How a process ends that is given these, and what it says."""
    code = PROGRAM.format(messages=list(messages))
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, timeout=30, check=False
    )
    return ran.returncode, ran.stdout.split(), ran.stderr


def test_who_took_a_long_one_runs_it_and_another_listens() -> None:
    assert said("wait", "wait", "release") == (0, ["waits"] * 2 + ["released"] * 2, "")


def test_what_fails_ends_nothing_else() -> None:
    code, printed, errors = said("fail", "wait", "release")
    assert (code, printed) == (0, ["waits", "released"])
    assert "ZeroDivisionError" in errors


@pytest.mark.parametrize(("message", "code"), [(None, 0), ("break", 1)])
def test_without_a_broker_or_with_one_that_talks_nonsense_it_ends(message: str | None, code: int) -> None:
    assert said(message)[:2] == (code, [])


def test_without_a_thread_to_listen_in_its_place_an_order_is_refused() -> None:
    assert said("no more threads", "wait", "wait", None) == (0, ["refused"] * 2, "")
