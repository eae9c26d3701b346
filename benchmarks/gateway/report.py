"""What was measured, as a table to look at, Markdown to quote and JSON to compute with. Measures nothing."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from benchmarks.gateway.questions import QUESTIONS, Question
from benchmarks.gateway.rounds import Rounds, Taken

QUICK: Final = 1  # asked more often than this a round: percentiles, and milliseconds over in-process
QUIET: Final = 0.7  # load average before a run; with more, what runs beside it decides who is quick
AT_ONCE: Final = 1.0  # the target for sessions that all ask at once

NOT_QUIET: Final = "**The machine was not quiet before this run: compare nothing by these figures.**"


def late(seconds: Sequence[float]) -> float:
    """The 99th percentile (nearest rank) [s]."""
    ordered = sorted(seconds)
    return ordered[max(0, -(-len(ordered) * 99 // 100) - 1)]


def summary(found: Rounds, at_once: Mapping[str, Any] | None, run: Mapping[str, Any]) -> Mapping[str, Any]:
    """Everything as plain values; times in milliseconds, memory in bytes."""
    baseline = found.taken[0]
    return {
        "run": dict(run),
        "questions": {q.name: q.text for q in QUESTIONS},
        "contenders": {taken.name: _contender(taken, baseline) for taken in found.taken},
        "at_once": None if at_once is None else dict(at_once),
        "absent": dict(found.absent),
        "targets": [list(row) for row in targets(found, at_once)],
    }


def _contender(taken: Taken, baseline: Taken) -> Mapping[str, Any]:
    answers = {}
    for question in QUESTIONS:
        seconds, plain = taken.seconds[question.name], baseline.seconds[question.name]
        one, other = statistics.median(seconds), statistics.median(plain)
        answers[question.name] = {
            "rows": taken.rows[question.name],
            "times": len(seconds),
            "p50": one * 1e3,
            "p99": late(seconds) * 1e3 if question.times > QUICK else None,
            "ratio": one / other,
            "over": (one - other) * 1e3,
        }
    return {
        "answers": answers,
        "differs": taken.differs,
        "notes": taken.notes,
        "server_bytes": taken.server,
        "reader_bytes": taken.reader,
    }


def targets(found: Rounds, at_once: Mapping[str, Any] | None) -> Iterator[tuple[str, str, str, bool]]:
    """What issue and design ask of the product: (what, target, measured, met)."""
    by_name = {taken.name: taken for taken in found.taken}
    ours, plain = by_name.get("Campus"), found.taken[0]
    for question in QUESTIONS if ours is not None else ():
        assert ours is not None
        yield from _targets(question, ours.seconds[question.name], plain.seconds[question.name])
    if at_once is not None:
        ratio = float(at_once["ratio"])
        yield f"{at_once['sessions']} at once", f"≤ {AT_ONCE:.2f}", f"{ratio:.2f}", ratio <= AT_ONCE


def _targets(
    question: Question, ours: Sequence[float], plain: Sequence[float]
) -> Iterator[tuple[str, str, str, bool]]:
    one, other = statistics.median(ours), statistics.median(plain)
    if question.ratio:
        ratio = one / other
        yield question.name, f"≤ {question.ratio:.2f}", f"{ratio:.2f}", ratio <= question.ratio
    if question.over:
        over = (one - other) * 1e3
        yield f"{question.name}, p50", f"≤ +{question.over:g} ms", f"{over:+.1f} ms", over <= question.over
    if question.late:
        over = (late(ours) - other) * 1e3
        yield f"{question.name}, p99", f"≤ +{question.late:g} ms", f"{over:+.1f} ms", over <= question.late


def markdown(summed: Mapping[str, Any]) -> str:
    """The same as tables."""
    run = summed["run"]
    names = [q.name for q in QUESTIONS]
    lines = [
        "# The gateway beside its rivals",
        "",
        "Made by `python -m benchmarks.gateway`; see `benchmarks/README.md` for what is compared and how.",
        "",
        f"{run['rows']:,} rows in {run['files']} Parquet files ({run['bytes'] / 1e6:,.0f} MB), "
        f"{run['rounds']} rounds, {run['threads']} threads and {run['memory'] >> 20} MB an engine, "
        f"{run['processors']} processors, load {run['load_before']:.2f} before and {run['load_after']:.2f} "
        f"after, {run['date']}, commit {run['commit']}.",
        "",
        *(() if run["load_before"] <= QUIET else (NOT_QUIET, "")),
        "Medians; ratio to in-process DuckDB for what takes long, milliseconds over it for what is quick.",
        "",
        "| | " + " | ".join(names) + " | server MB | reader MB |",
        "|---|" + "---|" * (len(names) + 2),
    ]
    for name, found in summed["contenders"].items():
        cells = [_cell(found["answers"][n]) for n in names]
        memory = [f"{found[key] / 1e6:,.0f}" for key in ("server_bytes", "reader_bytes")]
        lines.append(f"| {name} | " + " | ".join([*cells, *memory]) + " |")
    lines += ["", "| target | asked | measured | |", "|---|---|---|---|"]
    lines += [f"| {w} | {a} | {m} | {'met' if met else 'missed'} |" for w, a, m, met in summed["targets"]]
    lines.append("")
    for name, found in summed["contenders"].items():
        notes = [*found["notes"], *(f"other answer to {d}" for d in found["differs"])]
        lines += [f"- {name}: {'; '.join(notes)}."] if notes else []
    lines += [f"- {name} is absent: {reason}." for name, reason in summed["absent"].items()]
    if summed["at_once"] is not None:
        lines.append(_at_once(summed["at_once"]))
    return "\n".join(lines) + "\n"


def _cell(answer: Mapping[str, Any]) -> str:
    if answer["p99"] is None:
        return f"{answer['ratio']:.2f} ({answer['p50'] / 1e3:.2f} s)"
    return f"{answer['over']:+.1f} ms (p50 {answer['p50']:.1f}, p99 {answer['p99']:.1f})"


def _at_once(found: Mapping[str, Any]) -> str:
    ours, plain = (statistics.median(found[f"{who}_seconds"]) for who in ("gateway", "in_process"))
    worker, engine = (found[f"{who}_bytes"] / 1e6 for who in ("worker", "in_process"))
    return (
        f"- {found['sessions']} sessions at once, each the aggregate: {ours:.2f} s; as many in-process "
        f"engines: {plain:.2f} s; ratio {found['ratio']:.2f}. Largest worker {worker:,.0f} MB, largest "
        f"engine's process {engine:,.0f} MB."
    )
