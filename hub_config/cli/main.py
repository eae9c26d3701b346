"""The parser of `bin/campus` and its dispatch; each command is a module of its own, imported when called."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from datetime import date

from hub_config.settings import Settings, SettingsError, load

SETTING_FLAGS = ("state", "host", "port", "bind", "isolation")


def parser() -> argparse.ArgumentParser:
    """Every command and option; the reference page is generated from this."""
    top = argparse.ArgumentParser(prog="campus", description="빅데이터 캠퍼스 / an open big-data campus")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="모두 시작하고 주소를 출력 / start everything, print one address")
    _state(up)
    up.add_argument("--host", help="공개 호스트 이름 / public host name")
    up.add_argument("--port", type=int, help="포트 / TCP port")
    up.add_argument("--bind", help="수신 주소 / address to listen on")
    up.add_argument(
        "--isolation", choices=("auto", "root", "userns", "none"), help="격리 방식 / kind of walls"
    )
    up.add_argument("--demo", action="store_true", default=None, help="시연용 계정을 만듦 / seed demo people")

    doctor = commands.add_parser("doctor", help="이 기계의 격리 방식과 준비 상태 / what this machine can do")
    _state(doctor)

    ingest = commands.add_parser("ingest", help="제공기관 파일을 적재 / load publisher files")
    _state(ingest)
    ingest.add_argument("--check", action="store_true", help="검사만 하고 공개하지 않음 / only inspect")
    ingest.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="CHECK=REASON",
        help="실패한 검사의 예외와 사유 / accept a failing check, and say why",
    )
    ingest.add_argument("dataset", help="데이터셋 이름 / dataset name")
    ingest.add_argument("files", nargs="+", help="제공기관의 원본 파일 / the publisher's own files")

    synth = commands.add_parser("synth", help="합성 쌍둥이를 만들거나 점검 / make or check a synthetic twin")
    _state(synth)
    synth.add_argument("dataset", help="데이터셋 이름 / dataset name")
    synth.add_argument(
        "--rows", type=_whole, help="행 수, 기본은 공개판의 크기 / rows, the published size by default"
    )
    synth.add_argument(
        "--seed", type=_whole, help="난수 씨앗, 기본은 선언된 값 / seed, the declared one by default"
    )
    synth.add_argument("--out", help="Parquet 파일, 기본 DATASET_twin.parquet / Parquet file")
    synth.add_argument(
        "--report",
        action="store_true",
        help="파일 대신 선언과의 차이를 출력 / print the distance to what is declared",
    )

    audit = commands.add_parser("audit", help="감사 기록 / the audit log")
    audit_commands = audit.add_subparsers(dest="audit_command", required=True, metavar="COMMAND")
    verify = audit_commands.add_parser("verify", help="감사 기록을 검증 / verify the log")
    _state(verify)
    verify.add_argument("--key", help="공개키 파일 / public key file, from a source you trust")
    verify.add_argument(
        "--checkpoint", action="append", help="따로 보관한 체크포인트 / a checkpoint kept elsewhere"
    )
    verify.add_argument(
        "--without-literals",
        action="store_true",
        help="값이 없는 사본을 검증 / verify a copy of the log alone, without the literals beside it",
    )
    shown = audit_commands.add_parser("show", help="질의 하나의 기록 / what is on record of a query")
    _state(shown)
    shown.add_argument("query", help="질의 번호 / number of the query")
    erase = audit_commands.add_parser(
        "erase", help="질의에 넣은 값을 지움 / erase what people put into statements"
    )
    _state(erase)
    erase.add_argument(
        "--as", dest="officer", required=True, help="개인정보 보호책임자의 아이디 / the privacy officer"
    )
    erase.add_argument("--query", help="질의 번호 / number of a query")
    erase.add_argument("--person", help="누구의 질의 / whose queries")
    erase.add_argument("--project", help="어느 과제의 질의 / of which project")
    erase.add_argument("--before", type=date.fromisoformat, help="이 날짜 전 / before this day, YYYY-MM-DD")
    erase.add_argument("--reason", required=True, help="사유, 기록에 남음 / why; it stays on record")
    erase.add_argument("--yes", action="store_true", help="묻지 않음 / do not ask")

    metrics = commands.add_parser(
        "metrics", help="데이터 관문의 계수를 출력 / the gateway's counters, for Prometheus"
    )
    _state(metrics)

    _remote(commands.add_parser("remote", help="다른 기계의 세션 / sessions on other machines"))
    _relay(commands.add_parser("relay", help="다른 캠퍼스의 세션 / sessions of a campus elsewhere, here"))

    for name, text in (
        ("test", "모든 시험을 실행 / run all tests"),
        ("check", "시험 + 형식 + 타입 / tests, format, types"),
        ("fix", "형식을 맞추고 생성 문서를 갱신 / format, regenerate documents"),
    ):
        quality = commands.add_parser(name, help=text)
        quality.add_argument("--long", action="store_true", help="긴 시험까지 / long campaigns too")
        quality.add_argument(
            "--rounds", type=int, metavar="N", help="긴 시험의 반복 횟수 / rounds of each long campaign"
        )
        quality.add_argument("rest", nargs=argparse.REMAINDER, help="pytest 인자 / arguments for pytest")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 where it did what was asked, 1 where it refused, 2 for wrong usage."""
    arguments = parser().parse_args(argv)
    try:
        settings = settings_of(arguments)
    except SettingsError as error:
        sys.stderr.write(f"campus: {error}\n")
        return 2
    module = importlib.import_module(
        {
            "up": "hub_config.cli.up",
            "doctor": "hub_config.cli.doctor",
            "ingest": "hub_config.cli.ingest",
            "synth": "hub_config.cli.synth",
            "audit": "hub_config.cli.audit",
            "metrics": "hub_config.cli.metrics",
            "remote": "hub_config.cli.remote",
            "relay": "hub_config.cli.relay",
            "test": "hub_config.cli.quality",
            "check": "hub_config.cli.quality",
            "fix": "hub_config.cli.quality",
        }[arguments.command]
    )
    status: int = module.run(arguments, settings)
    return status


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings that a command line chooses."""
    flags = {name: getattr(arguments, name, None) for name in (*SETTING_FLAGS, "demo")}
    return load(flags)


def _remote(remote: argparse.ArgumentParser) -> None:
    commands = remote.add_subparsers(dest="remote_command", required=True, metavar="COMMAND")
    opened = commands.add_parser("open", help="세션을 엶 / open a session, print its id")
    opened.add_argument("person", help="이용자 / a person's handle")
    opened.add_argument("project", help="프로젝트 / a project of theirs")
    ended = commands.add_parser("end", help="세션을 끝냄 / end a session")
    ended.add_argument("session", help="세션 번호 / its id")
    issue = commands.add_parser("issue", help="세션 인증서를 발급 / issue a session's certificate")
    issue.add_argument("session", help="세션 번호 / its id")
    issue.add_argument("file", help="`campus relay request` 의 출력 / what `campus relay request` printed")
    revoke = commands.add_parser("revoke", help="인증서를 취소 / revoke a certificate")
    revoke.add_argument("serial", help="일련번호 / its serial number")
    revoke.add_argument("reason", help="사유 / why")
    for name, text in (
        ("list", "유효한 인증서 / certificates that stand"),
        ("trust", "다른 기계가 믿을 인증 기관을 출력 / print what other machines trust"),
        ("renew", "서버 인증서를 새로 만듦 / give the server a new certificate"),
        ("rotate", "인증 기관을 새로 만듦 / sign with a new authority beside the old one"),
        ("forget", "이전 인증 기관을 버림 / trust the newest authority alone"),
    ):
        commands.add_parser(name, help=text)
    for command in commands.choices.values():
        _state(command)


def _relay(relay: argparse.ArgumentParser) -> None:
    commands = relay.add_subparsers(dest="relay_command", required=True, metavar="COMMAND")
    request = commands.add_parser("request", help="세션의 키와 인증서 요청 / a key, and the request to print")
    request.add_argument("session", help="세션 번호 / the session's id")
    accept = commands.add_parser("accept", help="캠퍼스가 준 파일을 넣음 / take in files from the campus")
    accept.add_argument("files", nargs="+", help="인증서나 인증 기관 / certificates, or authorities")
    serve = commands.add_parser("run", help="연결을 전달 / forward connections until Ctrl-C")
    serve.add_argument("campus", help="호스트:포트 / HOST:PORT of the campus")
    for command in commands.choices.values():
        _state(command)


def _whole(text: str) -> int:
    """A whole number of 0 or more; `100_000` is one."""
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def _state(command: argparse.ArgumentParser) -> None:
    command.add_argument("--state", help="상태 폴더, 기본 var/ / state folder, var/ by default")
