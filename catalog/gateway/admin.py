"""The broker's own socket: JSON lines from the hub's side. Knows the wire; the broker does the work."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from catalog.errors import CatalogError
from catalog.gateway.listening import connections

LOG = logging.getLogger(__name__)
MAX_LINE: Final = 1 << 16
IDLE_SECONDS: Final = 60.0


class AdminSocket:
    """Serves `{"op": …}` lines until closed; one line answers each, errors as `{"error", "ko", "en"}`."""

    def __init__(self, path: Path, handle: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        self._handle = handle
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        for connection in connections(self._listener):
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(IDLE_SECONDS)
        with connection, connection.makefile("rwb") as stream:
            try:
                while line := stream.readline(MAX_LINE):
                    stream.write(json.dumps(self._answer(line), ensure_ascii=False).encode() + b"\n")
                    stream.flush()
            except OSError:
                return

    def _answer(self, line: bytes) -> Mapping[str, Any]:
        try:
            request = json.loads(line)
            return self._handle(request if isinstance(request, dict) else {})
        except CatalogError as error:
            return {"error": error.reason, "ko": error.ko, "en": error.en}
        except ValueError:
            return {"error": "malformed-request"}
        except Exception:
            LOG.exception("an administrative request failed")
            return {"error": "internal"}
