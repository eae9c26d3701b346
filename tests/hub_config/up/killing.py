"""Kills parts of a running installation at random, and says what must hold then. Starts none of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from access_control.audit.client import AuditClient
from access_control.audit.event import Action
from access_control.audit.reader import AuditReader
from access_control.audit.verify import verify
from access_control.errors import AuditUnavailable
from catalog.gateway.session import TICKET_SECONDS
from tests.access_control.audit.builders import event
from tests.hub_config.up.ground import ROWS, Ground, family, program

VICTIMS: Final = (*("worker", "audit", "client") * 2, "gateway")  # the gateway takes longest to come back
ENDS: Final = ("query.finished", "query.failed", "query.cancelled")
LONGEST_DELAY: Final = 0.05  # between the step that a kill is aimed at and the kill [s]
OPEN_FOR: Final = TICKET_SECONDS + 60  # longest without an end: a killed client's ticket, a gateway away [s]
BUSY: Final = 0.05  # between two batches of the thread that keeps the log busy [s]
LINES: Final = 97  # distinct texts of a made-up column
SLACK: Final = 12  # connections that may be idle at one moment and not at another


class Load:
    """Keeps the audit log busy, and remembers what was acknowledged."""

    def __init__(self, path: Path) -> None:
        self.acknowledged: dict[str, int] = {}
        self._client = AuditClient(path, patience=2.0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(BUSY):
            batch = [event(n, action=Action.PERSON_SIGNED_IN) for n in range(random.randrange(1, 6))]
            with contextlib.suppress(AuditUnavailable):
                numbers = self._client.append_all(batch)
                self.acknowledged |= {e.event_id: n for e, n in zip(batch, numbers, strict=True)}

    def end(self) -> None:
        """Stop; idempotent."""
        self._stop.set()
        self._thread.join(30)
        self._client.close()


class Record:
    """What the log holds of queries, read on from where the last look ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "segments"
        self._offsets: Counter[str] = Counter()
        self.admitted: Counter[str] = Counter()
        self.open: dict[str, float] = {}  # admitted without an end, and since when that is known [s]
        self.ended: dict[str, list[str]] = {}
        self.reasons: Counter[str] = Counter()

    def look(self) -> None:
        """Take in whole lines that are new."""
        for file in sorted(self._folder.glob("*.jsonl")):
            with file.open("rb") as source:
                source.seek(self._offsets[file.name])
                data = source.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._offsets[file.name] += len(whole)
            for line in whole.splitlines():
                if b'"query.' in line:
                    self._take(json.loads(line.split(b"\t")[0])["event"])

    def _take(self, found: dict[str, Any]) -> None:
        name = found["object"].removeprefix("query:")
        if found["action"] == "query.admitted":
            self.admitted[name] += 1
            self.open[name] = time.monotonic()
        elif found["action"] in ENDS:
            self.ended.setdefault(name, []).append(found["action"])
            self.open.pop(name, None)
            self.reasons[found["detail"]["reason"] or found["action"]] += 1

    def demand(self) -> None:
        """No admission twice, no end twice, no end of what was not admitted, none without an end for long."""
        assert not {n: c for n, c in self.admitted.items() if c != 1}
        assert not {n: e for n, e in self.ended.items() if len(e) != 1}
        assert not self.ended.keys() - self.admitted.keys()
        assert not [n for n, since in self.open.items() if time.monotonic() - since > OPEN_FOR]


class Campaign:
    """Kill rounds over a ground, and their figures."""

    def __init__(self, made: Ground) -> None:
        self.ground = made
        self.record = Record(made.log)
        self.rounds: Counter[str] = Counter()
        self.waits: dict[str, list[float]] = {}  # from a kill until somebody has rows of a later question [s]
        self.everybody: list[float] = []  # the same until everybody has, where no other kill followed [s]
        self._last = 0.0
        self.open_at_kill: Counter[int] = Counter()
        self._base: dict[str, tuple[int, int]] = {}

    async def round(self, victim: str) -> None:
        """Kill one at a random point, wait until somebody has rows again, and look at the record.

        The others may still be on their way back when the next one is killed; `quiet` waits for everybody.
        """
        made = self.ground
        await made.next_step(random.choice(("asks", "row", "end")))
        await asyncio.sleep(random.uniform(0, LONGEST_DELAY))
        self.record.look()
        self.open_at_kill[len(self.record.open)] += 1
        at = time.monotonic()
        if not self._kill(victim):
            return
        self.rounds[victim] += 1
        self._last = at
        await made.until(lambda: any(r.answered(at) for r in made.readers), f"an answer after {victim}")
        self.waits.setdefault(victim, []).append(time.monotonic() - at)
        self.record.look()
        self.record.demand()
        self._demand_seen()

    async def quiet(self) -> None:
        """Wait for everybody, let nobody ask, and demand that nothing is left of all that was killed."""
        made = self.ground
        await made.until(lambda: all(r.answered(self._last) for r in made.readers), "answers")
        if self._last:
            self.everybody.append(time.monotonic() - self._last)
        made.hold()
        try:
            problems: list[str] = []

            def clean() -> bool:
                problems[:] = self._leaks()
                return not problems

            with contextlib.suppress(AssertionError):
                await made.until(clean, "nothing left", 15)
            assert not problems, problems
        finally:
            made.go_on()

    def open(self) -> set[str]:
        """Queries on record without an end."""
        self.record.look()
        return set(self.record.open)

    def figures(self) -> str:
        """One line a victim."""
        lines = [
            f"{victim}: {count} rounds, next answer after {min(w):.2f} to {max(w):.2f} s, "
            f"median {sorted(w)[len(w) // 2]:.2f} s"
            for victim, count in sorted(self.rounds.items())
            if (w := self.waits[victim])
        ]
        seen = Counter(s["how"] for r in self.ground.readers for s in r.steps if s["step"] == "end")
        if self.everybody:
            lines.append(
                f"everybody has an answer after {min(self.everybody):.2f} to {max(self.everybody):.2f} s"
            )
        lines.append(f"queries open when killed: {dict(sorted(self.open_at_kill.items()))}")
        lines.append(
            f"admitted {len(self.record.admitted)}; ends {dict(self.record.reasons)}; seen {dict(seen)}"
        )
        return "\n".join(lines)

    def _kill(self, victim: str) -> bool:
        made = self.ground
        try:
            match victim:
                case "client":
                    reader = random.choice(made.readers)
                    reader.kill()
                    reader.start()
                case "worker":
                    found = [s.pid for s in made.launcher.list() if s.sandbox_id.startswith("worker-")]
                    os.kill(program(random.choice(found)), signal.SIGKILL)
                case service:
                    os.kill(program(made.pid(service)), signal.SIGKILL)
        except (ProcessLookupError, IndexError):
            return False  # it was just being replaced
        return True

    def _demand_seen(self) -> None:
        """What readers saw: no row before its record, and nothing cut short that looks whole."""
        for reader in self.ground.readers:
            for step in reader.steps:
                if step["step"] == "row":
                    assert step["recorded"], f"rows of {step['id']} before its record"
                    assert step["id"] in self.record.admitted
            whole = [s["rows"] for s in reader.steps if s["step"] == "end" and s["how"] == "whole"]
            assert set(whole) <= {1, LINES, ROWS}, sorted(set(whole))

    def _leaks(self) -> list[str]:
        """Processes, sockets, views, journal entries, descriptors that should have gone."""
        made, settings = self.ground, self.ground.settings
        running = {s.sandbox_id: s.pid for s in made.launcher.list()}
        self.record.look()
        journal = {file.stem for file in (settings.run / "gateway" / "open").iterdir()}
        found = [f"journal {name}" for name in journal - self.record.open.keys()]  # but tickets of the killed
        found += [f"no journal of {name}" for name in self.record.open.keys() - journal]
        workers = [name for name in running if name.startswith("worker-")]
        for session_id, _ in made.sessions:
            own = [name for name in running if session_id in name]
            if len(own) > 2 or len({n.split("-")[0] for n in own}) != len(own):
                found.append(f"sandboxes {own}")
            sockets = {f"worker-{n.rpartition('-')[2]}.sock" for n in own if n.startswith("worker-")}
            folder = settings.run / "gateway" / session_id
            found += [f"no {s}" for s in ("broker.sock", "local.sock") if not (folder / s).is_socket()]
            found += [f"socket {f.name}" for f in (folder / "data").iterdir() if f.name not in sockets]
        views = list((settings.warehouse / ".views").iterdir())
        if len(views) != len(workers):
            found.append(f"{len(views)} views of {len(workers)} workers")
        launcher = program(made.pid("launcher"))
        ours = {pid for outer in running.values() for pid in family(outer)}
        found += [f"process {p}" for p in set(family(launcher)) - ours - {launcher}]
        for service in ("launcher", "gateway", "audit"):
            links = _links(program(made.pid(service)))
            count, memory = len(links), sum("memfd:" in link for link in links)
            base = self._base.setdefault(service, (count, memory))
            if count > base[0] + SLACK or memory > base[1]:
                found.append(f"{service} holds {count} descriptors, {memory} memory files; {base} at first")
        return found


def _links(pid: int) -> list[str]:
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(str(entry.readlink()))
    return links


def demand_all(made: Ground, campaign: Campaign, acknowledged: Mapping[str, int]) -> None:
    """After everything has stopped: the log verifies and holds everything that was acknowledged or seen.

    Parameters
    ----------
    acknowledged
        Event identifier → the sequence number that the writer answered.
    """
    campaign.record.look()
    campaign.record.demand()
    assert not campaign.record.open
    result = verify(made.log, (made.log / "public_key").read_text("ascii"))
    assert result.ok, result
    held: dict[str, int] = {entry.event.event_id: entry.seq for entry in AuditReader(made.log).everything()}
    lost = {name: seq for name, seq in acknowledged.items() if held.get(name) != seq}
    assert not lost, f"{len(lost)} acknowledged events are not in the log"
    rows = {s["id"] for r in made.readers for s in r.steps if s["step"] == "row"}
    assert rows <= campaign.record.admitted.keys()
    assert not list(made.settings.run.rglob("*.sock"))
