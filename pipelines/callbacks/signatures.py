"""Signatures of providers that sign what they call: Standard Webhooks, over the raw bytes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import suppress

from standardwebhooks import Webhook, WebhookVerificationError

from pipelines.core.errors import SetupError

_PREFIX = "whsec_"
_MOST_SIGNATURES = 8


def secrets_of(environment: Mapping[str, str]) -> dict[str, Webhook]:
    """What checks the signatures of each provider that signs: `<PROVIDER>_WEBHOOK_SECRET`, as OpenAI's own tools name it.

    Raises:
        SetupError: a secret is none.
    """
    ending = "_WEBHOOK_SECRET"
    return {
        name.removesuffix(ending).lower().replace("_", "-"): checker(secret, name)
        for name, secret in environment.items()
        if name.endswith(ending) and secret.strip() and name != ending
    }


def checker(secret: str, name: str) -> Webhook:
    """What checks signatures with a secret: Base64 behind `whsec_`, otherwise its bytes as they stand.

    Args:
        secret: as the provider shows it.
        name: of the variable that has it, for the message.

    Raises:
        SetupError: it is not Base64 behind `whsec_`, or empty.
    """
    text = secret.strip()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True) if text.startswith(_PREFIX) else text.encode()
    except ValueError:
        key = b""
    if not key:
        raise SetupError(f"{name} is not Base64 behind its whsec_. Copy it again from the provider's page of webhooks.")
    return Webhook(key)


def is_signed(webhook: Webhook, headers: Mapping[str, str], body: bytes) -> bool:
    """Tell whether any of the signatures is right, and no older or younger than five minutes.

    Each is tried by itself: one that cannot be read, or of a version of the future, says nothing against the others.
    """
    given = {name.lower(): value for name, value in headers.items()}
    for signature in given.get("webhook-signature", "").split(" ")[:_MOST_SIGNATURES]:
        with suppress(WebhookVerificationError, ValueError, OverflowError):
            webhook.verify(body, given | {"webhook-signature": signature}, json_parse=False)
            return True
    return False
