from __future__ import annotations

import pytest

from pipelines.batch.matching.fitting import Fitting, RequestedClip
from pipelines.batch.matching.seconds import fit_seconds
from pipelines.providers.profile.model import Profile
from tests.pipelines.batch.conftest import LAB


def fitted(asked, *, open_models=False, **changes):
    profile = Profile.model_validate(LAB | {"open_models": open_models})
    mode = profile.mode("clip").model_copy(update=changes)
    fitting = Fitting(profile, mode, RequestedClip(seconds=asked), "clip-1")
    return fit_seconds(fitting), [f.what for f in fitting.problems], [f.what for f in fitting.warnings]


@pytest.mark.parametrize(("asked", "seconds"), [(None, 4), (4, 4), (8, 8)])
def test_a_length_that_the_mode_makes_is_taken_and_none_is_filled_in(asked, seconds):
    """The default is that of the mode."""
    assert fitted(asked) == (seconds, [], [])


def test_a_length_that_the_mode_does_not_make_is_refused_or_sent_as_it_is():
    """An open profile does not know all that its servers make; clips of more than an hour nobody makes."""
    refused = ["lab clip does not make clips of 5 s."]
    assert fitted(5) == (5, refused, [])
    assert fitted(5, open_models=True) == (5, [], ["lab clip does not list 5 s. It is sent as it is."])
    assert fitted(3601, open_models=True)[1] == ["lab clip does not make clips of 3601 s."]


def test_a_mode_may_decide_the_length_itself():
    """Whoever asks for one there is refused."""
    assert fitted(None, seconds=None) == (None, [], [])
    assert fitted(4, seconds=None) == (None, ["lab clip decides itself how long a clip is."], [])
