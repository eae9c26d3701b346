"""Takes connections until the listener is closed; a shortage of anything only delays them. Serves nobody."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from typing import Final

PAUSE: Final = 0.05  # until another try [s]
SHORT: Final = {
    *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM),  # of descriptors or memory: accept(2)
    *(errno.ECONNABORTED, errno.EPROTO, errno.EPERM),  # one connection's trouble
}


def connections(listener: socket.socket) -> Iterator[socket.socket]:
    """Each connection as it comes; whoever waited while there was no room is served when there is."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError as error:
            if error.errno not in SHORT:
                return
            time.sleep(PAUSE)
            continue
        yield connection
