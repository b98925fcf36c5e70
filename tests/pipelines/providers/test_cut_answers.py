from __future__ import annotations

import uuid

from tests.programmes.rough_wire import cut_everywhere


async def test_an_answer_that_is_cut_anywhere_is_never_taken_for_another(start_provider, tmp_path):
    """An order is in doubt until its answer is whole, a question is no news, and a download goes on: none is believed half."""
    sandbox = start_provider(latency="0.01", renders="light")
    figures = await cut_everywhere(sandbox.url, f"key-{uuid.uuid4()}", tmp_path, every=23)
    assert set(figures) == {"submit", "ask", "download"}
    assert len(sandbox.bill()) == figures["submit"] + 1
