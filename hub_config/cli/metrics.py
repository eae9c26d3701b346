"""`campus metrics`: the gateway's counters as Prometheus text, from its own socket in the state folder."""

from __future__ import annotations

import argparse
import json
import socket
import sys
from typing import Final

from hub_config.settings import Settings

PATIENCE: Final = 5.0  # [s]


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print them; 1 where the gateway does not answer, or this user may not ask it."""
    path = settings.socket("gateway")
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(PATIENCE)
            peer.connect(str(path))
            peer.sendall(b'{"op": "metrics"}\n')
            with peer.makefile("rb") as stream:
                text = str(json.loads(stream.readline())["text"])
    except (OSError, ValueError, KeyError, TypeError) as error:
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
