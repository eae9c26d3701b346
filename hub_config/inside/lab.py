"""A slim JupyterLab server for one session, on an inherited listening socket; knows its folder and prefix.

It holds no token and decides nothing: whoever reaches the socket came through the gate, which names the
person in X-Campus-User. Everything that leaves is judged outside, because a kernel can rewrite this process.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # 0.85 s a start for an unused format
os.environ.pop("JPY_PARENT_PID", None)  # a kernel whose parent is pid 1 would take it for an orphan's mark

from jupyter_core.paths import jupyter_config_dir  # noqa: E402
from jupyter_server.auth.identity import IdentityProvider, User  # noqa: E402
from jupyter_server.serverapp import ServerApp  # noqa: E402
from traitlets.config import Config  # noqa: E402

IDENTITY_HEADER = "X-Campus-User"
ABSENT_SERVICES = {"nbconvert", "view", "files", "shutdown"}
ABSENT_EXTENSIONS = (
    "jupyter_lsp",
    "jupyter_server_terminals",
    "notebook",
    "notebook_shim",
    "voila.server_extension",
)
ABSENT_BUTTONS = (  # what the gate refuses is not offered
    "@jupyterlab/apputils-extension:announcements",
    "@jupyterlab/docmanager-extension:download",
    "@jupyterlab/extensionmanager-extension",
    "@jupyterlab/fileeditor-extension:language-server",
    "@jupyterlab/filebrowser-extension:download",
    "@jupyterlab/filebrowser-extension:share-file",
    "@jupyterlab/lsp-extension",
    "@jupyterlab/notebook-extension:export",
    "@jupyterlab/notebook-extension:language-server",
    "@jupyterlab/terminal-extension",
    "@voila-dashboards/jupyterlab-preview",
)


class GateIdentity(IdentityProvider):  # type: ignore[misc]
    """The person the gate names; without its header nobody is signed in."""

    token = ""

    @property
    def auth_enabled(self) -> bool:
        """A request without the gate's header is refused."""
        return True

    def get_user(self, handler: Any) -> User | None:
        """The person in the gate's header."""
        header = handler.request.headers.get(IDENTITY_HEADER)
        if not header:
            return None
        person = json.loads(header)
        return User(username=person["name"], name=person["display"], display_name=person["display"])

    def get_handlers(self) -> list[Any]:
        """No sign-in and no sign-out here: that is the gate's work."""
        return []

    def validate_security(self, app: Any, ssl_options: Any = None) -> None:
        """Nothing to warn of: the socket itself is the wall."""


class SessionServer(ServerApp):  # type: ignore[misc]
    """A Jupyter server that adopts the inherited socket and reads no configuration from the home folder."""

    default_services = tuple(s for s in ServerApp.default_services if s not in ABSENT_SERVICES)

    def load_config_file(self, *args: object, **kwargs: object) -> None:
        """Only what this file says; a config in the home would be run by the next start."""
        sockets = prepare()
        self.update_config(Config(configuration(sockets, os.environ["CAMPUS_PREFIX"], Path.home())))

    def _find_http_port(self) -> None:
        """The port is the inherited socket."""

    def _bind_http_server_tcp(self) -> bool:
        self.http_server.add_socket(inherited_socket())
        return True


def inherited_socket() -> socket.socket:
    """The listening socket made outside, kept from the kernels."""
    listener = socket.socket(fileno=int(os.environ["CAMPUS_LISTEN_FD"]))
    listener.setblocking(False)
    os.set_inheritable(listener.fileno(), False)
    return listener


def prepare() -> Path:
    """Where kernels, settings and plots keep their files; returns a private folder for kernel sockets."""
    home, scratch = Path.home(), Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108  # the sandbox's own tmpfs
    own = Path(sys.prefix) / "share" / "jupyter"
    here = Path(__file__).resolve().parent
    os.environ["PYTHONPATH"] = os.pathsep.join(
        p for p in (str(here / "kernel"), os.environ.get("PYTHONPATH", "")) if p
    )
    os.environ.update(
        JUPYTER_NO_CONFIG="1",
        JUPYTER_PREFER_ENV_PATH="1",
        JUPYTER_PATH=str(own),
        JUPYTER_DATA_DIR=str(scratch / "jupyter-data"),
        JUPYTER_RUNTIME_DIR=str(scratch / "jupyter-runtime"),
        JUPYTERLAB_SETTINGS_DIR=str(home / ".campus" / "lab" / "settings"),
        JUPYTERLAB_WORKSPACES_DIR=str(home / ".campus" / "lab" / "workspaces"),
        IPYTHONDIR=str(home / ".campus" / "ipython"),
        MPLCONFIGDIR=str(home / ".campus" / "matplotlib"),
        PYTHONNOUSERSITE="1",
        PYTHONDONTWRITEBYTECODE="1",
    )
    (home / ".campus").mkdir(mode=0o700, exist_ok=True)
    pages = Path(jupyter_config_dir()) / "labconfig"  # of JUPYTER_NO_CONFIG: a fresh empty folder
    pages.mkdir(mode=0o700, parents=True, exist_ok=True)
    buttons = {"disabledExtensions": dict.fromkeys(ABSENT_BUTTONS, True)}
    (pages / "page_config.json").write_text(json.dumps(buttons), "utf-8")
    sockets = scratch / "k"
    sockets.mkdir(mode=0o700, exist_ok=True)
    return sockets


def configuration(sockets: Path, prefix: str, root: Path) -> dict[str, Any]:
    """Every choice of the server, as traitlets configuration."""
    return {
        "ServerApp": {
            "base_url": prefix,
            "root_dir": str(root),
            "open_browser": False,
            "allow_remote_access": True,
            "allow_root": True,
            "answer_yes": True,
            "terminals_enabled": False,
            "disable_check_xsrf": True,  # the gate checks Origin and Sec-Fetch-Site and passes no cookie
            "identity_provider_class": GateIdentity,
            "default_url": "/lab",
            "jpserver_extensions": {**dict.fromkeys(ABSENT_EXTENSIONS, False), "jupyterlab": True},
            "log_level": "WARN",
            "tornado_settings": {
                "page_config_data": {"disabledExtensions": dict.fromkeys(ABSENT_BUTTONS, True)}
            },
        },
        "LabApp": {
            "extension_manager": "readonly",
            "news_url": None,
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        },
        "KernelSpecManager": {
            "allowed_kernelspecs": {"python3"},
            "ensure_native_kernel": False,
        },
        "KernelManager": {"transport": "ipc", "ip": str(sockets / "k")},
        "FileContentsManager": {"delete_to_trash": False, "always_delete_dir": True},
        "LanguageServerManager": {"autodetect": False},
    }


def main() -> None:
    """Serve until stopped."""
    from jupyterlab.labapp import LabApp

    LabApp.serverapp_class = SessionServer
    LabApp.launch_instance(argv=[])


if __name__ == "__main__":
    main()
