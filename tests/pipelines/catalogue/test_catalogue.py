from __future__ import annotations

import subprocess
import sys

import pytest

import pipelines.catalogue


def test_importing_the_room_is_light():
    """Tables, templates and pictures are loaded by those who use them, not by `--help`, nor by importing a module."""
    modules = "load, compilation, report, sums, manifest, frame, gallery.page"
    code = (
        f"import sys, pipelines.actions.overview, pipelines.actions.listing, {', '.join(f'pipelines.catalogue.{name}' for name in modules.split(', '))}\n"
        "print([n for n in ('av', 'pandas', 'numpy', 'pyarrow', 'PIL', 'jinja2') if n in sys.modules])"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_the_room_has_one_public_name():
    """`load_manifest` is found in the room itself; whatever is not there is missing in the usual way."""
    assert pipelines.catalogue.load_manifest.__module__ == "pipelines.catalogue.load"
    with pytest.raises(AttributeError, match="no attribute 'pandas'"):
        pipelines.catalogue.pandas  # noqa: B018 - asking is the test
