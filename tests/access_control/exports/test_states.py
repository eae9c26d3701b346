"""The table of states: what no order of steps can bring about."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_control.decision import Deny
from access_control.errors import Denied
from access_control.exports.model import ExportFile, ExportId, ExportRequest, ExportStatus, digest_now
from access_control.exports.states import TABLE, By, Step, advance, may_advance
from access_control.people.model import SYSTEM, Handle
from access_control.projects.model import Slug
from tests.access_control.campus import NOW

AUTHOR = "minji"


def request(status: ExportStatus = ExportStatus.SUBMITTED) -> ExportRequest:
    file = ExportFile(no=1, name="a.csv", sha256="0" * 64, size=3, media_type="text/csv")
    unsealed = ExportRequest(
        id=ExportId("x"),
        number=7,
        person=Handle(AUTHOR),
        project=Slug("open-data"),
        purpose="보고서",
        status=status,
        files=(file,),
        digest="",
        policy_version="1",
        submitted=NOW,
    )
    return replace(unsealed, digest=digest_now(unsealed))


STEPS = st.lists(
    st.tuples(st.sampled_from(Step), st.sampled_from([AUTHOR, "checker", "other", SYSTEM, ""])), max_size=12
)


@given(STEPS)
def test_nothing_is_released_without_a_distinct_reviewer(steps: list[tuple[Step, str]]) -> None:
    now = request()
    approved_by: set[str] = set()
    for step, actor in steps:
        if may_advance(now, step, actor):
            now, event = advance(now, step, actor, NOW)
            assert event.actor == actor
            if step is Step.APPROVE:
                approved_by.add(actor)
        else:
            with pytest.raises(Denied):
                advance(now, step, actor, NOW)
        if now.status is ExportStatus.RELEASED:
            assert len(approved_by) == 1
            assert now.decided_by in approved_by
            assert not approved_by & {AUTHOR, SYSTEM, ""}


@given(STEPS, st.sampled_from(["name", "sha256", "purpose", "person", "project", "policy"]))
def test_nothing_changed_after_submission_is_released(steps: list[tuple[Step, str]], what: str) -> None:
    now = request()
    file = now.files[0]
    changed = {
        "name": replace(now, files=(replace(file, name="b.csv"),)),
        "sha256": replace(now, files=(replace(file, sha256="1" * 64),)),
        "purpose": replace(now, purpose="다른 목적"),
        "person": replace(now, person=Handle("jiwoo")),
        "project": replace(now, project=Slug("shops")),
        "policy": replace(now, policy_version="2"),
    }[what]
    for step, actor in steps:
        if may_advance(changed, step, actor):
            changed, _ = advance(changed, step, actor, NOW)
        assert changed.status not in {ExportStatus.APPROVED, ExportStatus.RELEASED}


def test_an_approved_request_that_changes_is_not_released() -> None:
    approved, _ = advance(request(), Step.APPROVE, "checker", NOW)
    decision = may_advance(replace(approved, purpose="다른 목적"), Step.RELEASE, SYSTEM)
    assert isinstance(decision, Deny)
    assert decision.reason == "export-changed"


def test_every_state_is_reached_and_final_states_have_no_step_but_failing() -> None:
    reached = {ExportStatus.SUBMITTED}
    for _ in TABLE:
        reached |= {rule.to for (state, _), rule in TABLE.items() if state in reached}
    assert reached == set(ExportStatus)
    final = {ExportStatus.REJECTED, ExportStatus.WITHDRAWN, ExportStatus.RELEASE_FAILED}
    assert not [state for state, _ in TABLE if state in final]
    assert [step for state, step in TABLE if state is ExportStatus.RELEASED] == [Step.FAIL]
    assert {rule.by for rule in TABLE.values()} == set(By)


@given(st.sampled_from(ExportStatus), st.sampled_from(Step), st.sampled_from([AUTHOR, "checker", SYSTEM]))
def test_what_the_table_does_not_have_is_denied(status: ExportStatus, step: Step, actor: str) -> None:
    decision = may_advance(request(status), step, actor)
    rule = TABLE.get((status, step))
    if rule is None:
        assert isinstance(decision, Deny)
        assert decision.reason == "export-not-open"
    else:
        right = {By.AUTHOR: AUTHOR, By.CHECKER: "checker", By.SYSTEM: SYSTEM}[rule.by]
        assert bool(decision) == (actor == right)
