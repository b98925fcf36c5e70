"""How gateways and self-hosted servers name a job."""

from __future__ import annotations

import base64
import re
from hashlib import sha256

#: Characters that show only once the id is in Base64: one of them makes a `/`, one a `+`, wherever they fall.
AWKWARD = "???~~~"
ID_PREFIXES = {"vllm-omni": "video_gen_", "new-api": "task_"}  # [V2 N2]; otherwise video_ [O1]


def digits(*parts: object) -> str:
    """Hexadecimal digits that follow from their parts: the same after a restart."""
    return sha256(" ".join(map(str, parts)).encode()).hexdigest()[:32]


def litellm_id(seed: int, seq: int, now: float, model: str) -> str:
    """Provider, model and the id behind the gateway in Base64 [L1].

    Every such id here has `/`, `+` and `=` in it, which those of the real gateway have now and then: a client that
    copies an id into a path as it stands asks for something else.
    """
    inside = f"litellm:custom_llm_provider:openai;model_id:{model};video_id:video_{digits(seed, seq, now)}{AWKWARD}"
    inside += "." * (len(inside) % 3 == 0)  # never a multiple of three: so there is padding
    return f"video_{base64.b64encode(inside.encode()).decode()}"


def litellm_alias(job_id: str) -> str:
    """The same id as later answers have it: coded anew, without the model [BerriAI/litellm PR 38148]."""
    inside = base64.b64decode(job_id.removeprefix("video_"))
    return f"video_{base64.b64encode(re.sub(rb';model_id:[^;]*;', b';model_id:;', inside)).decode()}"
