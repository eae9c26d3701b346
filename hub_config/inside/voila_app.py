"""Standalone Voila for one dashboard, on an inherited socket; knows its notebook and how many may look.

Standalone Voila passes only widget messages from a viewer to a kernel (no execute requests), which its server
extension does not; so dashboards run here and never in somebody's session.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # 0.85 s a start for an unused format
os.environ.pop("JPY_PARENT_PID", None)

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager  # noqa: E402
from tornado import ioloop, web  # noqa: E402
from tornado.httpserver import HTTPServer  # noqa: E402
from traitlets.config import Config  # noqa: E402
from voila.app import Voila  # noqa: E402

VIEWERS = 8
ABANDONED = 60  # a kernel nobody is connected to is stopped after this [s]


class CappedKernels(AsyncMappingKernelManager):  # type: ignore[misc]
    """Refuses a visit, rather than the machine, when every place is taken."""

    async def start_kernel(self, *args: Any, **kwargs: Any) -> Any:
        """Start a viewer's kernel, or answer 503 when there are as many as allowed."""
        if len(self) >= int(os.environ.get("CAMPUS_VIEWERS", str(VIEWERS))):
            raise web.HTTPError(503, "every place is taken")
        return await super().start_kernel(*args, **kwargs)


class Dashboard(Voila):  # type: ignore[misc]
    """Voila without configuration files, on the inherited socket."""

    def load_config_file(self, *args: object, **kwargs: object) -> None:
        """Only what this file says."""

    def listen(self) -> None:
        """Serve on the socket made outside."""
        listener = socket.socket(fileno=int(os.environ["CAMPUS_LISTEN_FD"]))
        listener.setblocking(False)
        os.set_inheritable(listener.fileno(), False)
        HTTPServer(self.app).add_socket(listener)
        self.ioloop = ioloop.IOLoop.current()
        try:
            self.ioloop.start()
        finally:
            self.stop()


def prepare(scratch: Path) -> Path:
    """Where kernels and plots keep their files; returns a private folder for kernel sockets."""
    here = Path(__file__).resolve().parent
    os.environ["PYTHONPATH"] = os.pathsep.join(
        p for p in (str(here / "kernel"), os.environ.get("PYTHONPATH", "")) if p
    )
    os.environ.update(
        JUPYTER_NO_CONFIG="1",
        JUPYTER_PREFER_ENV_PATH="1",
        JUPYTER_DATA_DIR=str(scratch / "jupyter-data"),
        JUPYTER_RUNTIME_DIR=str(scratch / "jupyter-runtime"),
        IPYTHONDIR=str(scratch / "ipython"),
        MPLCONFIGDIR=str(scratch / "matplotlib"),
        PYTHONNOUSERSITE="1",
        PYTHONDONTWRITEBYTECODE="1",
    )
    sockets = scratch / "k"
    sockets.mkdir(mode=0o700, exist_ok=True)
    return sockets


def configuration(sockets: Path, prefix: str) -> dict[str, Any]:
    """Every choice of the dashboard server, as traitlets configuration."""
    return {
        "Voila": {"base_url": prefix, "open_browser": False, "token": "", "log_level": "WARN"},
        "VoilaConfiguration": {
            "strip_sources": True,
            "show_tracebacks": False,
            "file_allowlist": ["$^"],
            "multi_kernel_manager_class": CappedKernels,
        },
        "KernelManager": {"transport": "ipc", "ip": str(sockets / "k")},
        "CappedKernels": {
            "cull_idle_timeout": ABANDONED,
            "cull_interval": 10,
            "cull_connected": False,
            "default_kernel_name": "python3",
        },
        "KernelSpecManager": {"allowed_kernelspecs": {"python3"}, "ensure_native_kernel": False},
    }


def main() -> None:
    """Serve the notebook of CAMPUS_NOTEBOOK until stopped."""
    sockets = prepare(Path(os.environ.get("TMPDIR", "/tmp")))  # noqa: S108  # the sandbox's own tmpfs
    config = Config(configuration(sockets, os.environ.get("CAMPUS_PREFIX", "/")))
    Dashboard.launch_instance(argv=[os.environ["CAMPUS_NOTEBOOK"]], config=config)


if __name__ == "__main__":
    main()
