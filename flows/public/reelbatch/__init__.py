"""The name of our own under which programs and deployments find the flows: `reelbatch.campaign`, `.collect`, `.retry` ...

`flows` is a name that many projects give a package of theirs. Where such a one comes first on the path of Python, ours
cannot be imported; this says so, and which file stands in the way of which, instead of running a stranger's code.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path


def _ours(name: str) -> Path:
    """Where our package of that name lies: beside this one where it is installed, else in the tree around it."""
    here = Path(__file__).resolve().parent
    beside, tree = here.parent / name, here.parents[2] / name
    return (beside if beside.is_dir() else tree) / "__init__.py"


def _refuse_strangers() -> None:
    """Look at what Python takes for our packages.

    Raises:
        ImportError: one of them is somebody else's.
    """
    for name in ("flows", "tasks", "pipelines"):
        ours, spec = _ours(name), importlib.util.find_spec(name)
        found = None if spec is None else spec.origin or next(iter(spec.submodule_search_locations or ()), None)
        if found is None or Path(found).resolve() != ours.resolve():
            raise ImportError(
                f"reelbatch cannot be loaded: Python finds {found or 'nothing'} where reelbatch needs its own {ours}. "
                f"A package of yours that is called {name!r} shadows that of reelbatch. Let the run work in another folder "
                f"(`working_dir` of a deployment; `reelbatch deploy` sets none), or rename {name!r}."
            )


_refuse_strangers()

# ruff: noqa: E402 - only once they are known to be ours
from flows.campaign import campaign
from flows.collect import collect
from flows.expiry import expiry
from flows.inbox import inbox
from flows.redo import redo
from flows.retry import retry
from flows.settle import adopt, archive, cancel, resolve, verify

__all__ = [
    "adopt",
    "archive",
    "campaign",
    "cancel",
    "collect",
    "expiry",
    "inbox",
    "redo",
    "resolve",
    "retry",
    "verify",
]
