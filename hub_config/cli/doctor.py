"""`campus doctor`: what this machine can do and why; changes nothing."""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
from dataclasses import dataclass

from catalog.sandbox.isolation import Mode, probe
from hub_config.settings import Settings
from hub_config.up.state import LEAST_FREE, CannotStart, check_port

MEANING = {
    Mode.ROOT: "root 런처: 사람마다 다른 uid / root launcher: a uid a person",
    Mode.USERNS: "사용자 네임스페이스: 하나의 uid / user namespaces: one uid for all",
    Mode.NONE: "격리 없음: 세션을 시작하지 않습니다 / no walls: sessions are refused",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    good: bool
    text: str


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the findings; 1 where the product would not start its sessions here."""
    findings = examine(settings)
    for finding in findings:
        sys.stdout.write(f"{'✓' if finding.good else '✗'} {finding.text}\n")
    return 0 if all(f.good for f in findings) else 1


def examine(settings: Settings) -> list[Finding]:
    """Every finding, isolation first."""
    isolation = probe()
    findings = [
        Finding(
            isolation.mode is not Mode.NONE,
            f"격리 / isolation: {MEANING[isolation.mode]} ({isolation.reason})",
        )
    ]
    if isolation.mode is Mode.NONE:
        findings.append(
            Finding(
                False,
                "해결 / remedy: sudo apt-get install bubblewrap; "
                "개발용으로만 / for development only: --isolation=none",
            )
        )
    findings.append(Finding(True, f"Python {platform.python_version()}, {platform.machine()}"))
    for label, folder in (
        ("server", settings.server_env),
        ("session", settings.session_env),
        ("web", settings.web),
    ):
        there = "설치됨 / installed" if folder.exists() else "bin/campus up 이 설치합니다 / installed by up"
        findings.append(Finding(True, f"{label}: {there}"))
    place = settings.state if settings.state.exists() else settings.state.parent
    free = shutil.disk_usage(place).free if place.exists() else 0
    findings.append(Finding(free >= LEAST_FREE, f"디스크 / disk: {free >> 20:,} MB"))
    try:
        check_port(settings)
        findings.append(Finding(True, f"포트 / port {settings.port}"))
    except CannotStart as error:
        findings.append(Finding(False, str(error)))
    return findings
