"""What a sandbox cannot see or do; every claim is tried from inside the real walls."""

from __future__ import annotations

import json
import os
import platform
import socket
from pathlib import Path

import pytest

from catalog.sandbox.model import Limits, Mode, Mount
from catalog.sandbox.seccomp import denied
from tests.catalog.sandbox.walls import PYTHON, Walls

REPO = Path(__file__).resolve().parents[3]


def test_sees_only_the_folders_of_the_system_and_its_mounts(walls: Walls, folder: Path) -> None:
    walls.call(lambda: (folder / "own").mkdir())
    ran = walls.python(
        "import os, json; print(json.dumps([sorted(os.listdir('/')), sorted(os.listdir('/home'))]))",
        Mount(source=folder / "own", target="/home/minji", writable=True),
    )
    root, homes = json.loads(ran.text)
    assert set(root) <= {"bin", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "proc", "sbin"} | {
        "tmp",
        "usr",
    }
    assert homes == ["minji"]


def test_server_code_and_other_homes_are_not_there(walls: Walls) -> None:
    for path in (REPO, Path("/root"), Path("/work"), Path("/var"), Path("/etc/shadow"), Path("/sys")):
        ran = walls.python(f"import os; print(os.path.lexists({str(path)!r}))")
        assert ran.text.strip() == "False", path


def test_sees_no_process_of_the_machine_and_no_arguments_of_bubblewrap(walls: Walls) -> None:
    code = """
import os
for pid in filter(str.isdigit, os.listdir('/proc')):
    print(pid, open(f'/proc/{pid}/cmdline').read().split(chr(0))[:3])
"""
    ran = walls.python(code, env={"SECRET": "x1y2z3"})
    lines = ran.text.splitlines()
    assert 2 <= len(lines) <= 3
    assert all("bwrap" in line or "python" in line for line in lines)
    assert "x1y2z3" not in ran.text


def test_environment_is_exactly_what_was_given(walls: Walls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "leaks")
    ran = walls.run(("/usr/bin/env",), env={"A": "1", "B": "두 번째"})
    assert set(ran.text.split("\n")) - {""} == {"A=1", "B=두 번째", "PWD=/"}


def test_only_the_given_descriptors_are_open(walls: Walls) -> None:
    leak = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(leak, True)
    given, other = socket.socketpair()
    try:
        ran = walls.python(
            "import os, socket; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1]);"
            "socket.socket(fileno=3).sendall(b'hello')",
            fds={3: given.fileno()},
        )
        other.settimeout(5)
        assert other.recv(10) == b"hello"
        assert ran.text.strip() == "[0, 1, 2, 3]"
    finally:
        os.close(leak)
        given.close()
        other.close()


def test_runs_as_its_number_without_any_capability(walls: Walls) -> None:
    ran = walls.python("print(open('/proc/self/status').read())")
    status = dict(line.split(":\t", 1) for line in ran.text.splitlines() if ":\t" in line)
    assert status["Uid"].split() == [str(walls.inside_uid())] * 4
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"


def test_has_names_for_its_user_and_host_and_local_time(walls: Walls) -> None:
    ran = walls.python(
        "import pwd, os, socket, time; print(pwd.getpwuid(os.getuid()).pw_name, os.path.expanduser('~minji'),"
        "socket.gethostname(), socket.gethostbyname('localhost'), time.tzname[0])",
        env={"TZ": "Asia/Seoul"},
        user="minji",
        home="/home/minji",
    )
    assert ran.text.split() == ["minji", "/home/minji", "campus", "127.0.0.1", "KST"]


def test_network_has_a_working_loopback_and_nothing_else(walls: Walls) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    code = f"""
import socket, os
print(sorted(name for _, name in socket.if_nameindex()))
own = socket.create_server(('127.0.0.1', 0))
socket.create_connection(own.getsockname(), timeout=5).sendall(b'x')
print('loopback')
for address in (('127.0.0.1', {listener.getsockname()[1]}), ('192.0.2.1', 80)):
    try:
        socket.create_connection(address, timeout=2)
        print('reached', address)
    except OSError as error:
        print('no', error.errno)
try:
    socket.getaddrinfo('example.com', 80)
    print('resolved')
except OSError:
    print('unresolved')
"""
    ran = walls.python(code)
    listener.close()
    assert ran.text.splitlines()[:2] == ["['lo']", "loopback"]
    assert "reached" not in ran.text
    assert "unresolved" in ran.text


def test_abstract_sockets_of_the_machine_are_out_of_reach(walls: Walls) -> None:
    name = f"\0campus-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()
        ran = walls.python(f"import socket; s = socket.socket(socket.AF_UNIX); print(s.connect_ex({name!r}))")
    assert ran.text.strip() == "111"  # ECONNREFUSED


def test_network_is_shared_only_on_request(walls: Walls) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code = f"import socket; print(socket.socket().connect_ex(('127.0.0.1', {port})))"
        assert walls.python(code, network=True).text.strip() == "0"
        assert walls.python(code).text.strip() != "0"


@pytest.mark.parametrize("family", ["AF_VSOCK", "AF_PACKET", "AF_ALG", "AF_BLUETOOTH", "AF_RDS"])
def test_refuses_address_families_that_namespaces_do_not_hold(walls: Walls, family: str) -> None:
    ran = walls.python(
        "import socket, errno\n"
        f"try:\n socket.socket(socket.{family}, socket.SOCK_RAW)\n print('made')\n"
        "except OSError as error:\n print(errno.errorcode[error.errno])"
    )
    assert ran.text.strip() == "EAFNOSUPPORT"


def test_refuses_netlink_other_than_routes(walls: Walls) -> None:
    ran = walls.python(
        "import socket\n"
        "for protocol in (0, 12, 16):\n"  # route, netfilter, generic
        " try:\n  socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol); print('made')\n"
        " except OSError as error:\n  print(error.errno)"
    )
    assert ran.text.split() == ["made", "97", "97"]


NUMBERS = {  # asked by number, so the C library cannot refuse first
    "x86_64": {"unshare": 272, "mount": 165, "ptrace": 101, "bpf": 321, "keyctl": 250, "io_uring_setup": 425}
    | {"userfaultfd": 323, "setns": 308, "perf_event_open": 298, "pivot_root": 155, "add_key": 248}
    | {"process_vm_readv": 310, "open_by_handle_at": 304, "move_mount": 429, "kexec_load": 246},
    "aarch64": {"unshare": 97, "mount": 40, "ptrace": 117, "bpf": 280, "keyctl": 219, "io_uring_setup": 425},
}


def test_refuses_calls_that_reach_the_kernel(walls: Walls) -> None:
    numbers = NUMBERS[platform.machine()]
    assert set(numbers) <= set(denied())
    code = f"""
import ctypes, errno, json
libc = ctypes.CDLL(None, use_errno=True)
out = {{}}
for name, number in {numbers!r}.items():
    ctypes.set_errno(0)
    answer = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(-1),) * 5)
    out[name] = 'done' if answer >= 0 else errno.errorcode[ctypes.get_errno()]
print(json.dumps(out))
"""
    ran = walls.python(code)
    assert json.loads(ran.text) == dict.fromkeys(numbers, "EPERM")


def test_no_new_namespace_by_clone_either(walls: Walls) -> None:
    number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
    code = f"""
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
for flags in (0x10000000, 0x00020000, 0x40000000):
    pid = libc.syscall(ctypes.c_long({number}), ctypes.c_long(flags | 17), *(ctypes.c_long(0),) * 4)
    if pid == 0: os._exit(0)
    print(pid, errno.errorcode[ctypes.get_errno()])
pid = libc.syscall(ctypes.c_long({number}), ctypes.c_long(17), *(ctypes.c_long(0),) * 4)
if pid == 0: os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert walls.python(code).text.splitlines() == ["-1 EPERM"] * 3 + ["7"]


def test_bubblewrap_cannot_be_used_from_inside(walls: Walls) -> None:
    ran = walls.run(("/usr/bin/bwrap", "--unshare-user", "--ro-bind", "/", "/", "/usr/bin/true"))
    assert ran.code != 0


def test_writes_only_where_it_may(walls: Walls, folder: Path) -> None:
    def lay_out() -> None:
        for name in ("own", "shared"):
            (folder / name).mkdir()
            (folder / name).chmod(0o777)

    walls.call(lay_out)
    code = """
import errno
for path in ('/x', '/usr/x', '/etc/passwd', '/etc/x', '/dev/x', '/home/x', '/home/minji/x', '/opt/x',
             '/tmp/x', '/dev/shm/x', '/proc/sys/kernel/hostname'):
    try:
        open(path, 'a').close(); print(path, 'written')
    except OSError as error:
        print(path, errno.errorcode[error.errno])
"""
    ran = walls.python(
        code,
        Mount(source=folder / "own", target="/home/minji", writable=True),
        Mount(source=folder / "shared", target="/opt"),
    )
    written = {line.split()[0] for line in ran.text.splitlines() if line.endswith("written")}
    assert written == {"/home/minji/x", "/tmp/x", "/dev/shm/x"}
    assert (folder / "own" / "x").stat().st_uid == walls.inside_uid()
    assert not (folder / "shared" / "x").exists()


def test_scratch_space_is_bounded(walls: Walls) -> None:
    code = """
import errno
for path in ('/tmp/x', '/dev/shm/x'):
    with open(path, 'wb', buffering=0) as file:
        try:
            for _ in range(64): file.write(bytes(1 << 20))
            print('endless')
        except OSError as error:
            print(errno.errorcode[error.errno])
"""
    assert walls.python(code, tmp_size=16 << 20).text.split() == ["ENOSPC", "ENOSPC"]


def test_mounts_below_a_folder_closed_to_others_are_reachable(walls: Walls, folder: Path) -> None:
    def lay_out() -> None:
        (folder / "closed" / "env").mkdir(parents=True)
        (folder / "closed" / "env" / "file").write_text("content")
        for path in (folder / "closed" / "env", folder / "closed" / "env" / "file"):
            path.chmod(0o755)
        (folder / "closed").chmod(0o700)

    walls.call(lay_out)
    target = str(folder / "closed" / "env")
    ran = walls.python(
        f"import os; print(open({target!r} + '/file').read(), os.listdir({str(folder / 'closed')!r}))",
        Mount(source=folder / "closed" / "env", target=target),
    )
    assert ran.text.strip() == "content ['env']"


def test_tty_of_the_starter_is_gone(walls: Walls) -> None:
    ran = walls.python(
        "import os\ntry:\n os.open('/dev/tty', os.O_RDWR); print('tty')\n"
        "except OSError as error:\n print('none', os.getsid(0) == os.getpgid(0))"
    )
    assert ran.text.split()[0] == "none"


def test_other_sandboxes_files_and_processes_are_separate(walls: Walls, folder: Path) -> None:
    first = walls.python("open('/tmp/mine', 'w').write('x'); print('ok')")
    second = walls.python("import os; print(os.listdir('/tmp'))")
    assert (first.text.strip(), second.text.strip()) == ("ok", "[]")


def test_files_are_private_by_default(walls: Walls, folder: Path) -> None:
    walls.call(lambda: (folder / "own").mkdir())
    if walls.mode is Mode.ROOT:
        os.chown(folder / "own", walls.inside_uid(), walls.inside_uid())
    own = Mount(source=folder / "own", target="/home/minji", writable=True)
    walls.python("open('/home/minji/a', 'w')", own)
    walls.python("open('/home/minji/b', 'w')", own, umask=0o022)
    assert [oct((folder / "own" / name).stat().st_mode & 0o777) for name in "ab"] == ["0o600", "0o644"]


def test_limits_hold_files_cores_and_descriptors(walls: Walls) -> None:
    ran = walls.python(
        "import resource as r\nkinds = (r.RLIMIT_CORE, r.RLIMIT_FSIZE, r.RLIMIT_NOFILE)\n"
        "print([r.getrlimit(kind) for kind in kinds])",
        limits=Limits(file_size=1 << 20, open_files=100),
    )
    assert ran.text.strip() == "[(0, 0), (1048576, 1048576), (100, 100)]"


def test_python_of_the_machine_is_the_probe(walls: Walls) -> None:
    assert walls.run((PYTHON, "-c", "raise SystemExit(42)")).code == 42
