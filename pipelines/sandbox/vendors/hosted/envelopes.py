"""A refusal in the shape of each vendor: what stands where, around its status, code and words."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from pipelines.sandbox.vendors.hosted.vendors import hosted_vendors

SERVER_ERROR = 500
UNPROCESSABLE = 422
ARK_TYPES = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 429: "TooManyRequests"}
BROKE = {  # words of an account without money, where the code alone does not say it
    "replicate": "You have insufficient credit to run this model. Go to the billing page to purchase credit.",
    "fal": "User is locked. Reason: Exhausted balance. Top up your balance in the dashboard.",
    "runway": "You do not have enough credits to run this task.",
    "google-veo": "Your prepayment credits are depleted. Please manage your project and billing in AI Studio.",
    "kling": "Account balance not enough",
    "minimax": "insufficient balance",
    "luma": "Insufficient credits",
    "ark": "The request failed because your account has an overdue balance.",
    "dashscope": "Access denied, please make sure your account is in good standing.",
    "vidu": "insufficient credits",
}


def hosted_refusal(
    contract: str, status: int, code: str | None, message: str, field: str | None
) -> tuple[int, dict[str, Any]]:
    """The vendor's HTTP status and body for a refusal of ours, which has a status, a code or reason, words and a field."""
    vendor = hosted_vendors()[contract]
    answered, own = vendor.refused(status, code)
    message = BROKE[contract] if code == "no_money" else message
    place = field.split(".") if field else []
    if contract == "replicate":
        flaws = {"invalid_fields": [{"type": "invalid", "field": field, "description": message}]} if field else {}
        return answered, {"title": own, "detail": message, "status": answered, **flaws}
    if contract == "fal":
        flaw: dict[str, Any] = {
            "loc": ["body", *place],
            "msg": message,
            "type": flaw_kind(message),
            "ctx": {},
            "input": None,
        }
        return answered, {"detail": [flaw] if answered == UNPROCESSABLE else message}
    if contract == "runway":
        issues = {"issues": [{"code": "custom", "path": place, "message": message}]} if field else {}
        return answered, {"error": "Validation of body failed" if field else message, **issues}
    if contract == "google-veo":
        reason = {}
        if code == "wrong_key":
            reason = {"details": [{"reason": "API_KEY_INVALID"}]}
            message = "API key not valid. Please pass a valid API key."
        return answered, {"error": {"code": answered, "message": message, "status": own, **reason}}
    if contract == "luma":
        return answered, {"detail": message}
    if contract == "ark":
        kind = ARK_TYPES.get(answered, "InternalServerError")
        return answered, {"error": {"code": own, "message": message, "param": field or "", "type": kind}}
    if contract == "vidu":
        reasons = {"missing": "FieldLacking", "extra_forbidden": "FieldUnwanted"}
        own = reasons.get(flaw_kind(message), own) if own == "FieldInvalid" else own
        return answered, {"code": answered, "reason": own, "message": message, "metadata": {"trace_id": uuid4().hex}}
    if contract == "minimax":
        return answered, {"task_id": "", "base_resp": {"status_code": own, "status_msg": message}}
    return answered, {"code": own, "message": message, "request_id": str(uuid4())}  # Kling and DashScope


def flaw_kind(message: str) -> str:
    """What is wrong with a field, in pydantic's words, which fal shows as they are."""
    if message.startswith("Unknown parameter"):
        return "extra_forbidden"
    return "missing" if "it is required" in message else "value_error"
