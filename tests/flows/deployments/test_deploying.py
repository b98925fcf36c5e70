from __future__ import annotations

import importlib

from flows.campaign import campaign
from flows.deployments.deploying import ENTRYPOINT, JOB_ENVIRONMENT


def test_the_entry_point_is_the_campaign():
    """What a deployment names as its entry point is the flow, under a name that no other project has."""
    module, _, name = ENTRYPOINT.rpartition(".")
    assert getattr(importlib.import_module(module), name) is campaign


def test_a_run_is_heard():
    """Its logs reach the UI, and it sends heartbeats as often as Prefect can."""
    assert JOB_ENVIRONMENT == {"PREFECT_LOGGING_EXTRA_LOGGERS": "reelbatch", "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
