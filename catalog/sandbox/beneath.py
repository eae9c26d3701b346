"""Opens paths below a folder that somebody hostile may be changing; the kernel resolves, nothing is guessed.

openat2(2) with RESOLVE_BENEATH, NO_SYMLINKS, NO_MAGICLINKS and NO_XDEV, through ctypes: Python has no call.
Needs Linux 5.6; on an older kernel every call is refused rather than made less safe.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from typing import Final

from catalog.sandbox.errors import SandboxError

_OPENAT2: Final = 437  # the same on every architecture since 5.0 unified the tables
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x01, 0x02, 0x04, 0x08
_TRIES = 8  # EAGAIN: a rename raced with the resolution

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class NotRegular(OSError):
    """The path is not one plain file with one name."""


def open_beneath(folder: int, path: str, flags: int, *, cross_mounts: bool = False) -> int:
    """Descriptor of `path` below the open `folder`, through no link of any kind.

    Raises
    ------
    OSError
        ELOOP for a link, EXDEV for a way out of the folder, and the usual ones.
    SandboxError
        The kernel has no openat2.
    """
    if not path or "\0" in path:
        raise OSError(errno.EINVAL, "empty path or NUL")
    resolve = _NO_MAGICLINKS | _NO_SYMLINKS | _BENEATH | (0 if cross_mounts else _NO_XDEV)
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    for _ in range(_TRIES):
        fd = _libc.syscall(
            ctypes.c_long(_OPENAT2),
            ctypes.c_int(folder),
            ctypes.c_char_p(os.fsencode(path)),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if fd >= 0:
            return int(fd)
        number = ctypes.get_errno()
        if number == errno.ENOSYS:
            raise SandboxError(
                "kernel-too-old",
                ko="이 커널에는 openat2가 없어 파일을 안전하게 열 수 없습니다(Linux 5.6 이상 필요).",
                en="this kernel has no openat2, so no file can be opened safely; it needs Linux 5.6",
            )
        if number not in (errno.EAGAIN, errno.EINTR):
            raise OSError(number, os.strerror(number), path)
    raise OSError(errno.EAGAIN, "the path kept changing", path)


def open_folder(folder: int, path: str) -> int:
    """Descriptor of a folder below `folder`, for looking and for opening further."""
    return open_beneath(folder, path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK)


def open_regular(
    folder: int, path: str, *, owner: int | None = None, may_link: int | None = None
) -> tuple[int, os.stat_result]:
    """Read-only descriptor of one regular file with a single name, and what it is.

    The file is first taken without opening it, so a pipe or device is never opened at all.

    Parameters
    ----------
    owner
        User id it must belong to.
    may_link
        User id whose files may have several names: a second name of anybody else's gives that file away.

    Raises
    ------
    NotRegular
        A folder, pipe, socket, device, a file with several names, or one of another owner.
    OSError, SandboxError
        As `open_beneath`.
    """
    handle = open_beneath(folder, path, os.O_PATH | os.O_NOFOLLOW)
    try:
        _check(os.fstat(handle), path, owner, may_link)
        fd = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(handle)
    found = os.fstat(fd)
    try:
        _check(found, path, owner, may_link)
    except NotRegular:
        os.close(fd)
        raise
    return fd, found


def _check(found: os.stat_result, path: str, owner: int | None, may_link: int | None) -> None:
    if not stat.S_ISREG(found.st_mode) or (found.st_nlink != 1 and found.st_uid != may_link):
        raise NotRegular(errno.EINVAL, "not a regular file with one name", path)
    if owner is not None and found.st_uid != owner:
        raise NotRegular(errno.EPERM, "the file belongs to somebody else", path)
