"""The function list: each of the engine's functions is allowed, or excluded with a reason."""

from __future__ import annotations

from catalog.gateway.sql import functions


def test_every_engine_function_is_allowed_or_excluded_with_a_reason() -> None:
    allowed = functions.load()
    lists = {
        "scalar": allowed.scalar,
        "aggregate": allowed.aggregate,
        "window": allowed.window,
        "table": allowed.table,
        "type": allowed.types,
    }
    excluded = functions.exclusions()
    assert all(e.reason for e in excluded)
    for section, names in functions.engine_functions().items():
        for name in names:
            listed = name in lists.get(section, frozenset())
            barred = any(e.kind == section and e.pattern.fullmatch(name) for e in excluded)
            assert listed != barred, f"{section} {name}: allowed={listed}, excluded={barred}"


def test_the_list_is_what_the_generator_writes() -> None:
    assert (functions.HERE / "functions.txt").read_text("utf-8") == functions.generate()


def test_no_exclusion_is_idle() -> None:
    engine = functions.engine_functions()
    for exclusion in functions.exclusions():
        matched = any(exclusion.pattern.fullmatch(name) for name in engine.get(exclusion.kind, ()))
        assert matched, exclusion.pattern.pattern


def test_no_function_that_reaches_outside_is_allowed() -> None:
    allowed = functions.load()
    assert allowed.table == {
        "generate_series",
        "json_each",
        "json_tree",
        "range",
        "repeat",
        "repeat_row",
        "unnest",
    }
    for word in ("read_", "_read", "file", "env", "setting", "secret", "log_", "query", "pragma"):
        assert not [n for n in allowed.scalar | allowed.aggregate if word in n and n != "parse_filename"], (
            word
        )
