from __future__ import annotations

import pytest

from pipelines.core.stop_reason import StopReason


@pytest.mark.parametrize("why", StopReason)
def test_a_stop_is_said_with_its_reason_and_how_to_go_on(why):
    """Whoever reads why a run ended reads how it goes on, and that this costs nothing twice."""
    assert why.sentence.startswith(f"The run was {why}. To go on, ")
    assert "nothing is paid twice" in why.sentence


def test_only_who_ended_the_process_makes_a_crash():
    """A person's stop ends as Cancelled or Suspended; a process that was ended from outside has crashed."""
    ends = {why: why.end for why in StopReason}
    assert ends.pop(StopReason.TERMINATED) == "Crashed"
    assert ends.pop(StopReason.SUSPENDED) == "Suspended"
    assert set(ends.values()) == {"Cancelled"}
