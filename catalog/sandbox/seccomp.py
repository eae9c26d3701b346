"""Which system calls a sandbox may not make, compiled to classic BPF; pure, knows nothing of processes.

A deny list on top of namespaces and dropped capabilities: it takes away what reaches the kernel's own
insides (mounting, new namespaces, tracing, keys, BPF, io_uring, modules) and every address family but
local, IP and route-netlink ones: a network namespace does not cover AF_VSOCK.
"""

from __future__ import annotations

import errno
import platform
import struct

from catalog.sandbox.errors import SandboxError

# linux/audit.h
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# name: (x86_64, aarch64); arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h
_DENIED: dict[str, tuple[int, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
    "vmsplice": (278, 75),
}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_SOCKET = {"x86_64": 41, "aarch64": 198}
_NEW_NAMESPACES = 0x7E020080  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET,TIME}
_X32 = 0x40000000
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_NETLINK_ROUTE = 0

# linux/bpf_common.h, linux/seccomp.h; offsets into struct seccomp_data on little-endian machines
_LOAD, _EQ, _SET, _GE, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCH, _ARG0, _ARG2 = 0, 4, 16, 32

Instruction = tuple[int, int, int, int]


def compile_filter(architecture: str | None = None) -> bytes:
    """The filter for `bwrap --seccomp`, as an array of `struct sock_filter`.

    Raises
    ------
    SandboxError
        No system call numbers are known for this machine.
    """
    return b"".join(struct.pack("<HBBI", *line) for line in program(architecture or platform.machine()))


def program(architecture: str) -> list[Instruction]:
    """The filter's instructions: (code, jump if true, jump if false, operand)."""
    if architecture not in _ARCHITECTURES:
        raise SandboxError(
            "architecture-unknown",
            ko=f"이 프로세서 구조({architecture})의 시스템 호출 목록이 없어 안전하게 시작할 수 없습니다.",
            en=f"no system call list for this machine ({architecture}); use x86_64 or aarch64",
        )
    column = 0 if architecture == "x86_64" else 1
    out: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQ, 1, 0, _ARCHITECTURES[architecture]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if architecture == "x86_64":
        out += [(_GE, 0, 1, _X32), _refuse(errno.ENOSYS)]
    for numbers in _DENIED.values():
        number = numbers[column]
        if number is not None:
            out += [(_EQ, 0, 1, number), _refuse(errno.EPERM)]
    # clone3 passes its flags in memory, where no filter can look: say it does not exist, libc then uses clone
    out += [(_EQ, 0, 1, _CLONE3), _refuse(errno.ENOSYS)]
    out += [
        (_EQ, 0, 4, _CLONE[architecture]),
        (_LOAD, 0, 0, _ARG0),
        (_SET, 0, 1, _NEW_NAMESPACES),
        _refuse(errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
        (_EQ, 0, 8, _SOCKET[architecture]),
        (_LOAD, 0, 0, _ARG0),
        (_EQ, 6, 0, _AF_UNIX),
        (_EQ, 5, 0, _AF_INET),
        (_EQ, 4, 0, _AF_INET6),
        (_EQ, 0, 2, _AF_NETLINK),
        (_LOAD, 0, 0, _ARG2),
        (_EQ, 1, 0, _NETLINK_ROUTE),
        _refuse(errno.EAFNOSUPPORT),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return out


def denied() -> tuple[str, ...]:
    """Names of the refused system calls, for tests and documentation."""
    return tuple(_DENIED)


def _refuse(number: int) -> Instruction:
    return (_RETURN, 0, 0, _ERRNO | number)
