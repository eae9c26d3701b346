"""Forms that no wall is built from, the order mounts are built in, and the filter's program."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from catalog.sandbox.bubblewrap import ARGUMENTS_FD, command
from catalog.sandbox.errors import SandboxError
from catalog.sandbox.isolation import Isolation, Mode
from catalog.sandbox.model import Mount, Sandbox
from catalog.sandbox.seccomp import compile_filter, denied, program

ROOT = Isolation(mode=Mode.ROOT, reason="test", switches=frozenset({"--size"}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "../x"},
        {"name": "X"},
        {"name": ""},
        {"argv": ()},
        {"argv": ("python",)},
        {"argv": ("/bin/sh", "a\0b")},
        {"workdir": "home"},
        {"workdir": "/home/../etc"},
        {"home": "/home//x"},
        {"mounts": (Mount(source=Path("/x"), target="/a/../b"),)},
        {"mounts": (Mount(source=Path("/x"), target="a"),)},
        {"env": {"A=B": "x"}},
        {"env": {"A": "x\0--bind"}},
        {"fds": {2: 2}},
        {"fds": {60: 5}},
    ],
)
def test_refuses_what_is_out_of_form(wrong: dict[str, object]) -> None:
    with pytest.raises(SandboxError) as refused:
        Sandbox(**({"name": "x", "argv": ("/bin/true",)} | wrong))  # type: ignore[arg-type]
    assert refused.value.reason == "sandbox-malformed"


def options(sandbox: Sandbox, isolation: Isolation = ROOT) -> list[str]:
    return dict(command(sandbox, isolation).data)[ARGUMENTS_FD].decode().split("\0")


def test_folders_above_are_built_before_folders_below() -> None:
    mounts = tuple(
        Mount(source=Path("/srv", name), target=f"/srv/{name}", writable=name == "b/c")
        for name in ("b/c/d", "b", "b/c", "a")
    )
    built = options(Sandbox(name="x", argv=("/bin/true",), uid=5, mounts=mounts))
    binds = [(built[i], built[i + 2]) for i, option in enumerate(built) if option.endswith("bind")]
    assert [bind for bind in binds if bind[1].startswith("/srv")] == [
        ("--ro-bind", "/srv/a"),
        ("--ro-bind", "/srv/b"),
        ("--bind", "/srv/b/c"),
        ("--ro-bind", "/srv/b/c/d"),
    ]
    assert [built[i + 1] for i, option in enumerate(built) if option == "--dir"] == ["/etc", "/srv"]


def test_nothing_but_the_inner_command_is_on_the_command_line() -> None:
    sandbox = Sandbox(
        name="x",
        argv=("/bin/true",),
        uid=5,
        env={"TOKEN": "secret"},
        mounts=(Mount(source=Path("/srv/private"), target="/data"),),
    )
    line = " ".join(command(sandbox, ROOT).argv)
    assert "secret" not in line
    assert "private" not in line


def test_mode_none_has_no_command() -> None:
    with pytest.raises(SandboxError):
        command(Sandbox(name="x", argv=("/bin/true",)), Isolation(mode=Mode.NONE, reason="test"))


def run_filter(architecture: str, number: int, *arguments: int, audit: int | None = None) -> int:
    """The kernel's answer, by a small interpreter of classic BPF."""
    lines = program(architecture)
    arch = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[architecture] if audit is None else audit
    values = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<IIQ6Q", number, arch, 0, *values)
    at, accumulator = 0, 0
    while True:
        code, true, false, operand = lines[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, operand)
        elif code == 0x06:
            return operand
        else:
            holds = {
                0x15: accumulator == operand,
                0x35: accumulator >= operand,
                0x45: bool(accumulator & operand),
            }[code]
            at += true if holds else false


ALLOW, EPERM, ENOSYS, EAFNOSUPPORT, KILL = 0x7FFF0000, 0x50001, 0x50026, 0x50061, 0x80000000


@pytest.mark.parametrize(
    ("architecture", "number", "arguments", "answer"),
    [
        ("x86_64", 0, (), ALLOW),  # read
        ("x86_64", 59, (), ALLOW),  # execve
        ("x86_64", 272, (), EPERM),  # unshare
        ("x86_64", 435, (), ENOSYS),  # clone3
        ("x86_64", 56, (0x003D0F00,), ALLOW),  # clone of a thread
        ("x86_64", 56, (0x10000011,), EPERM),  # clone with a user namespace
        ("x86_64", 41, (1, 1, 0), ALLOW),
        ("x86_64", 41, (2, 1, 0), ALLOW),
        ("x86_64", 41, (10, 1, 0), ALLOW),
        ("x86_64", 41, (16, 3, 0), ALLOW),
        ("x86_64", 41, (16, 3, 12), EAFNOSUPPORT),
        ("x86_64", 41, (40, 1, 0), EAFNOSUPPORT),  # vsock
        ("x86_64", 41, (38, 5, 0), EAFNOSUPPORT),  # alg
        ("x86_64", 0x40000000 | 41, (1, 1, 0), ENOSYS),  # the x32 door to the same call
        ("aarch64", 63, (), ALLOW),  # read
        ("aarch64", 97, (), EPERM),  # unshare
        ("aarch64", 220, (0x10000011,), EPERM),
        ("aarch64", 220, (17,), ALLOW),
        ("aarch64", 198, (40, 1, 0), EAFNOSUPPORT),
        ("aarch64", 198, (1, 1, 0), ALLOW),
    ],
)
def test_filter_answers(architecture: str, number: int, arguments: tuple[int, ...], answer: int) -> None:
    assert run_filter(architecture, number, *arguments) == answer


def test_a_call_of_another_architecture_ends_the_process() -> None:
    assert run_filter("x86_64", 11, audit=0x40000003) == KILL  # 32-bit execve
    assert run_filter("aarch64", 0, audit=0xC000003E) == KILL


def test_filter_covers_what_namespaces_do_not_and_fits_the_kernel() -> None:
    assert {"mount", "unshare", "setns", "ptrace", "bpf", "keyctl", "io_uring_setup", "userfaultfd"} <= set(
        denied()
    )
    for architecture in ("x86_64", "aarch64"):
        assert len(compile_filter(architecture)) == 8 * len(program(architecture)) < 8 * 4096
    with pytest.raises(SandboxError):
        compile_filter("riscv64")
