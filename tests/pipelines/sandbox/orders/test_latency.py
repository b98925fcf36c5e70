from __future__ import annotations

from random import Random

import pytest

from pipelines.sandbox.orders.latency import Latency, usual_latency


def test_a_constant_is_always_drawn():
    """A plain number is the waiting time itself."""
    assert Latency.parse("1.5").draw(Random(0)) == 1.5


def test_uniform_stays_within_its_ends():
    """Every draw of `uniform:2-5` lies between 2 and 5."""
    latency = Latency.parse("uniform:2-5")
    assert all(2 <= latency.draw(Random(seed)) <= 5 for seed in range(200))


def test_lognormal_has_the_median_it_was_given():
    """Half of the draws of `lognormal:120,0.3` are below 120."""
    latency, chance = Latency.parse("lognormal:120,0.3"), Random(0)
    draws = sorted(latency.draw(chance) for _ in range(2001))
    assert draws[1000] == pytest.approx(120, rel=0.05)


@pytest.mark.parametrize("spec", ["", "soon", "uniform:5-2", "uniform:2", "normal:1,2", "lognormal:0,1", "-1", "nan"])
def test_what_is_no_latency_is_refused(spec):
    """A spec that cannot be drawn from is an error that shows how to write one."""
    with pytest.raises(ValueError, match="uniform:2-5"):
        Latency.parse(spec)


def test_speed_divides_the_usual_times():
    """Qiniu takes 5 to 10 minutes for 8 seconds, and a sixtieth of it at speed 60."""
    assert usual_latency("qiniu", 8, 60) == Latency("uniform", 5, 10)
