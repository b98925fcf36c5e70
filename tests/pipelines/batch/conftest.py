"""Writes small batch files and reads them back, with the shipped providers or with two made-up ones."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from pipelines.batch import read_batch
from pipelines.core.errors import BatchError
from pipelines.providers.profile.model import Profile

#: Speaks two protocols: one takes sizes and is remixed by its prompt alone, the other shapes and files.
LAB = {
    "name": "lab",
    "title": "The lab",
    "contract": "openai",
    "base_url": "https://lab.example/v1",
    "default_model": "clip-1",
    "prompt_most": 400,
    "retired_models": {"clip-0": "2026-05-01"},
    "modes": [
        {
            "name": "clip",
            "models": ["clip-1", "clip-2", "clip-0"],
            "seconds": {"allowed": [4, 8], "default": 4},
            "size": {"allowed": ["1280x720", "720x1280", "720x720"], "default": "1280x720", "only": {"720x720": ["clip-2"]}},
            "images": {"most": 2, "forms": ["url", "data_url"], "must_match_size": True},
            "parameters": {
                "negative_prompt": {"field": "negativePrompt"},
                "seed": {"type": "integer"},
                "strength": {"type": "number", "least": 0, "most": 1},
                "loop": {"type": "boolean"},
                "camera": {"type": "json"},
                "words": {"type": "list"},
                "look": {"allowed": ["plain", "film"]},
            },
            "remix": {},
        },
        {
            "name": "film",
            "contract": "fal",
            "models": ["film-1"],
            "prompt_most": 12,
            "prompt_optional": True,
            "seconds": {"least": 3, "most": 15, "default": 5},
            "orientation": {"values": {"landscape": "16:9", "square": "1:1", "4:3": "4:3", "adaptive": "auto"}, "default": "landscape"},
            "images": {"most": 2, "forms": ["base64"]},
            "remix": {"field": "video_id", "fixed": {"action": "extend"}, "only_prompt": False},
        },
    ],
    "prices": [
        {"model": "clip-2", "amount": "0.30", "per": "second", "as_of": "2026-01-01", "source": "made up"},
        {"model": "*", "amount": "0.10", "per": "second", "as_of": "2026-01-01", "source": "made up"},
    ],
}  # fmt: skip

#: Takes addresses of pictures only, tells shapes from sizes, and is paid in another currency.
YARD = {
    "name": "yard",
    "title": "The yard",
    "contract": "acedata",
    "base_url": "https://yard.example",
    "default_model": "clip-1",
    "prompt_most": 40,
    "prompt_counted_in": "bytes",
    "modes": [
        {
            "name": "plain",
            "models": ["clip-1", "mud"],
            "seconds": {"allowed": [4, 6], "default": 6},
            "orientation": {"values": {"landscape": "h", "portrait": "v"}, "default": "portrait"},
            "images": {"most": 1, "must_match_size": False},
            "parameters": {"seed": {"type": "integer"}},
        }
    ],
    "prices": [{"model": "*", "amount": "3", "per": "clip", "currency": "CNY", "as_of": "2026-01-01", "source": "made up"}],
}  # fmt: skip


@pytest.fixture
def profiles():
    """The made-up providers, by name."""
    return {data["name"]: Profile.model_validate(data) for data in (LAB, YARD)}


@pytest.fixture
def read(tmp_path):
    """Reads a text as a batch file of the given kind, with qiniu as the provider unless told otherwise."""

    def reader(text, kind="csv", provider="qiniu", **more):
        path = tmp_path / f"spring.{kind}"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_batch(path, provider=provider, **more)

    return reader


@pytest.fixture
def problems(read):
    """The problems of a text as strings; it must have some."""

    def reader(*args, **more):
        with pytest.raises(BatchError) as caught:
            read(*args, **more)
        return [str(problem) for problem in caught.value.problems]

    return reader


@pytest.fixture
def plan(read, profiles):
    """Reads a text with the made-up providers, lab unless told otherwise."""
    return lambda text, kind="csv", provider="lab", **more: read(text, kind, provider, profiles=profiles, **more)


@pytest.fixture
def refused(problems, profiles):
    """The problems of a text with the made-up providers."""
    return lambda text, kind="csv", provider="lab", **more: problems(text, kind, provider, profiles=profiles, **more)


@pytest.fixture
def picture(tmp_path):
    """Puts a picture beside the batch file, and gives its bytes."""

    def maker(name, width=1280, height=720, kind="PNG"):
        made = io.BytesIO()
        Image.new("RGB", (width, height), "white").save(made, kind)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.getvalue())
        return made.getvalue()

    return maker
