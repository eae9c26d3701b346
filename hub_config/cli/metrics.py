"""`campus metrics`: the gateway's counters as Prometheus text, from its own socket in the state folder."""

from __future__ import annotations

import argparse
import sys

from hub_config.services.health import counters
from hub_config.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print them; 1 where the gateway does not answer, or this user may not ask it."""
    path = settings.socket("gateway")
    try:
        text = counters(settings)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        sys.stderr.write(
            f"campus: 데이터 관문이 답하지 않습니다: {path} ({why}). campus up 을 실행한 사용자로, 같은 "
            "--state 로 다시 해 보세요.\n"
            f"        the gateway does not answer: {path} ({why}); run this as the user of `campus up`, with "
            "its --state.\n"
        )
        return 1
    sys.stdout.write(text)
    return 0
