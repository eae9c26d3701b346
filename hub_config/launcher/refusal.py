"""Why the launcher says no; the wording a client receives, Korean first."""

from __future__ import annotations

from catalog.sandbox.errors import LauncherError


def malformed(parameter: str) -> LauncherError:
    """A parameter out of form; its value is not repeated."""
    return LauncherError(
        "parameter-malformed",
        ko=f"런처 요청의 '{parameter}' 값이 형식에 맞지 않습니다.",
        en=f"the request's '{parameter}' is out of form",
    )


def unknown_call(call: str) -> LauncherError:
    """A call that does not exist."""
    return LauncherError(
        "call-unknown",
        ko=f"런처가 모르는 요청입니다: {call[:40]!r}",
        en=f"the launcher knows no call {call[:40]!r}",
    )


def missing(what: str, which: str) -> LauncherError:
    """Something named does not exist, or not as it must."""
    return LauncherError(
        f"{what}-missing",
        ko=f"{which!r}을(를) 찾을 수 없거나 사용할 수 없습니다({what}).",
        en=f"{what} {which!r} does not exist or cannot be used",
    )


def running(sandbox_id: str) -> LauncherError:
    """It runs already."""
    return LauncherError(
        "already-running",
        ko=f"이미 실행 중입니다: {sandbox_id}. 먼저 멈추세요.",
        en=f"{sandbox_id} is already running; stop it first",
    )


def file_refused(name: str, why: str) -> LauncherError:
    """A file in the outbox that is no plain file of the person's own."""
    return LauncherError(
        "file-refused",
        ko=f"반출함의 파일을 열 수 없습니다: {name!r} ({why}). 링크가 아닌 일반 파일만 반출할 수 있습니다.",
        en=f"outbox file {name!r} was refused ({why}); only plain files, no links, may leave",
    )


def too_much(what: str, most: int) -> LauncherError:
    """More than one request may ask for."""
    return LauncherError(
        "too-much",
        ko=f"한 번에 처리할 수 있는 한도를 넘었습니다: {what} 최대 {most}",
        en=f"over the limit of one request: at most {most} {what}",
    )


def foreign_folder(path: str) -> LauncherError:
    """A folder for sockets that somebody else made first."""
    return LauncherError(
        "folder-foreign",
        ko=f"소켓 폴더 {path}의 소유자가 다릅니다. 지우거나 --state로 더 짧은 경로를 지정하세요.",
        en=f"the socket folder {path} belongs to somebody else; remove it or choose a shorter --state",
    )


def failed() -> LauncherError:
    """An unforeseen failure, told in full only in the launcher's log."""
    return LauncherError(
        "launcher-failed",
        ko="런처에서 오류가 났습니다. logs/launcher.log를 확인하세요.",
        en="the launcher failed; see logs/launcher.log",
    )
