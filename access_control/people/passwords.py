"""Passwords: which are refused and how one is kept (argon2id). Knows no person and no storage.

The parameters are those of RFC 9106 §4, second recommended option: 64 MiB, three passes. The memory is held
only while one password is checked. Nothing but the encoded hash ever leaves this module.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from access_control.decision import ALLOW, Decision, deny

SHORTEST, LONGEST = 10, 128  # characters
FEWEST_DISTINCT = 5  # characters
SHORTEST_NAME = 3  # characters; shorter parts of a name occur in words by chance
HASHER = PasswordHasher(time_cost=3, memory_cost=64 << 10, parallelism=4, hash_len=32, salt_len=16)
AT_ONCE = BoundedSemaphore(2)  # so that a rush of sign-ins waits instead of taking gigabytes
LEET = str.maketrans("013457@$!", "oieastasi")
RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "01234567890",
    "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ",
)
COMMON = (
    "administrator", "password", "passwort", "passwd", "letmein", "welcome", "iloveyou", "admin", "secret",
    "qwerty", "monkey", "dragon", "football", "sunshine", "campus", "seoul", "korea", "test", "login",
    "changeme", "bigdata", "비밀번호", "사랑해", "서울", "안녕하세요", "빅데이터", "캠퍼스", "관리자",
    "tkfkdgo", "dkssudgktpdy",
)  # fmt: skip


def check_password(password: str, *, handle: str, email: str) -> Decision:
    """Whether a password is long, varied and not a known word, a keyboard run or the person's name."""
    plain = _normal(password)
    if len(plain) < SHORTEST:
        return deny("password-too-short", minimum=SHORTEST)
    if len(plain) > LONGEST:
        return deny("password-too-long", limit=LONGEST)
    folded = plain.casefold()
    if len(set(folded)) < FEWEST_DISTINCT:
        return deny("password-too-uniform", minimum=FEWEST_DISTINCT)
    for name in (handle.casefold(), email.casefold().partition("@")[0]):
        if len(name) >= SHORTEST_NAME and (name in folded or name[::-1] in folded):
            return deny("password-holds-name")
    if _is_common(folded) or _is_common(folded.translate(LEET)):
        return deny("password-common")
    return ALLOW


def hash_password(password: str) -> str:
    """The encoded argon2id hash, salt and parameters included."""
    with AT_ONCE:
        return HASHER.hash(_normal(password))


def matches(encoded: str, password: str) -> bool:
    """Whether the password is the one that was hashed; a damaged hash matches nothing."""
    try:
        with AT_ONCE:
            return HASHER.verify(encoded, _normal(password))
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(encoded: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return HASHER.check_needs_rehash(encoded)


def spend_as_much(password: str) -> None:
    """Take as long as a real check, so that an unknown handle cannot be told from a wrong password."""
    matches(_decoy(), password)


@cache
def _decoy() -> str:
    return HASHER.hash("no account has this one")


def _normal(password: str) -> str:
    return unicodedata.normalize("NFC", password)


def _is_common(folded: str) -> bool:
    rest = folded
    for word in COMMON:
        rest = rest.replace(word, "")
    rest = _without_runs(rest)
    letters = len(re.sub(r"[\W\d_]", "", rest))
    made_of_known = rest != folded or folded.isdigit()
    return made_of_known and letters < SHORTEST_NAME and len(rest) < SHORTEST


def _without_runs(text: str, shortest: int = 4) -> str:
    for run in (*RUNS, *(run[::-1] for run in RUNS)):
        for length in range(len(run), shortest - 1, -1):
            for start in range(len(run) - length + 1):
                text = text.replace(run[start : start + length], "")
    return text
