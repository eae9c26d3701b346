"""What a person sees while Campus starts: one line a step, and the links at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

STEPS = {
    "audit": "감사 기록 / audit log",
    "tables": "데이터베이스 / database",
    "samples": "합성 표본 데이터 / synthetic sample data",
    "grants": "이용 권한 / grants",
    "services": "포털·허브·게이트웨이 / portal, hub, gateway",
    "gate": "문을 엽니다 / opening the door",
}


class Progress:
    """Prints steps with the time since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last = ""

    def step(self, name: str, detail: str = "") -> None:
        """One step has begun, or gone on."""
        line = f"{STEPS.get(name, name)}{' · ' + detail if detail else ''}"
        if line != self._last:
            self._last = line
            self._print(f"▸ [{time.monotonic() - self._began:4.1f} s] {line}")

    def done(
        self, url: str, setup: str | None, links: Sequence[tuple[str, str, str]], isolation: str
    ) -> None:
        """Everything answers."""
        self._print(f"✓ [{time.monotonic() - self._began:4.1f} s] 준비되었습니다 (격리: {isolation}) / ready")
        if setup:
            self._print(f"\n  첫 관리자 만들기, 한 번만 / make the first administrator, once:\n    {setup}")
        if links:
            self._print("\n  시연용 로그인 링크 / demonstration sign-in links:")
            for role, name, link in links:
                self._print(f"    {role:<14} {name:<8} {link}")
        self._print(
            "\n  표본은 합성 데이터입니다. 실제 파일 적재 / the samples are synthetic; load real files:\n"
            "    bin/campus ingest subway_ridership CARD_SUBWAY_MONTH_202505.csv"
        )
        self._print(f"\n  주소 / address:\n    {url}/\n\n  Ctrl-C 로 모두 멈춥니다 / stops everything")

    def _print(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
