"""The gate's log: one JSON object a line, in the state folder. Never holds content, paths or file names."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TextIO

LARGEST = 64 << 20  # bytes; then the file is set aside once


class Journal:
    """Appends lines; the newest file and the one before it are kept."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._path = file
        self._file: TextIO = file.open("a", encoding="utf-8", buffering=1)

    def write(self, event: str, **facts: str | int | float | None) -> None:
        """Write one event with its facts; absent ones are left out."""
        line = {"time": round(time.time(), 3), "event": event}
        line |= {k: v for k, v in facts.items() if v not in (None, "")}
        self._file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
        if self._file.tell() > LARGEST:
            self._file.close()
            self._path.replace(self._path.with_suffix(".jsonl.1"))
            self._file = self._path.open("a", encoding="utf-8", buffering=1)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
