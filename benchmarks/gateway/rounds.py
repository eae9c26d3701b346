"""Asks everybody everything, in rounds and in turn. Knows no contender and prints nothing but progress."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.gateway.contender import Absent, Contender, Engine, Reader
from benchmarks.gateway.data import Data
from benchmarks.gateway.processes import peak
from benchmarks.gateway.questions import QUESTIONS, Question, statement

WARM_TIMES = 5  # of a quick question, in the round that does not count


@dataclass(slots=True, kw_only=True)
class Taken:
    """What one contender took.

    Attributes
    ----------
    seconds
        Question → seconds of every time that counts.
    differs
        Questions that it answered otherwise than the first contender, or not at all.
    server, reader
        Most held by its largest server process, and by its reader [bytes].
    """

    name: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    differs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    server: int = 0
    reader: int = 0


@dataclass(slots=True, kw_only=True)
class Rounds:
    """All of it; `absent` gives the reasons by name."""

    taken: list[Taken] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)


class Running:
    """A contender that has been started, with its reader."""

    def __init__(self, contender: Contender, data: Data, engine: Engine) -> None:
        self.contender = contender
        try:
            self.reader = Reader(contender, contender.start(data, engine))
        except Absent:
            contender.stop()
            raise
        self.taken = Taken(name=contender.name, notes=contender.notes)
        self.sums: dict[str, dict[str, float]] = {}

    def ask(self, question: Question, data: Data, number: int) -> None:
        """One question in one round; the first round warms and compares."""
        times = max(1, question.times // self.contender.fewer)
        text = statement(question, self.contender.table, data.day, data.dong)
        if number == 0:
            answer = self.reader.ask(text, min(times, WARM_TIMES), 1_000_000, sums=question.same)
            self.taken.rows[question.name] = int(answer["rows"])
            self.sums[question.name] = dict(answer.get("sums", {}))
            return
        answer = self.reader.ask(text, times, number * question.times)
        self.taken.seconds.setdefault(question.name, []).extend(answer["seconds"])
        self.taken.rows[question.name] = int(answer["rows"])

    def compare(self, other: Running, question: Question) -> None:
        """Note where the answer to a question is not the other's."""
        same = self.taken.rows[question.name] == other.taken.rows[question.name]
        if question.same:
            ours, theirs = self.sums[question.name], other.sums[question.name]
            same &= ours.keys() == theirs.keys()
            same &= all(math.isclose(ours[c], theirs[c], rel_tol=1e-9) for c in ours.keys() & theirs.keys())
        if not same:
            self.taken.differs.append(question.name)

    def close(self) -> None:
        """Take the memory down and end both."""
        self.taken.server = self.contender.peak()
        self.taken.reader = peak(self.reader.process.pid)
        self.reader.close()
        self.contender.stop()


def measure(contenders: Sequence[Contender], data: Data, engine: Engine, rounds: int) -> Rounds:
    """Start all, ask in rounds, end all.

    Parameters
    ----------
    contenders
        The first is what the others' answers are compared with.
    rounds
        That count; one more goes before them to warm everybody.
    """
    found = Rounds()
    running: list[Running] = []
    everyone: list[Running] = []
    try:
        for contender in contenders:
            say(f"starting {contender.name}")
            try:
                running.append(Running(contender, data, engine))
                everyone.append(running[-1])
            except Absent as reason:
                found.absent[contender.name] = str(reason)
        for number in range(rounds + 1):
            say(f"round {number} of {rounds}")
            for turn, question in enumerate(QUESTIONS):
                taking = [each for each in running if number <= each.contender.rounds]
                first = (number + turn) % len(taking)
                for each in taking[first:] + taking[:first]:
                    try:
                        each.ask(question, data, number)
                    except Absent as reason:
                        found.absent[each.contender.name] = f"{question.name}: {reason}"
                        running.remove(each)
                if number == 0:
                    for each in running:
                        each.compare(everyone[0], question)
    finally:
        for each in everyone:
            each.close()
    found.taken = [each.taken for each in running]
    return found


def say(text: str) -> None:
    """Progress, beside the results."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
