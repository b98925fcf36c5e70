"""What each vendor answers when it refuses: status, code and envelope."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from pipelines.sandbox.http.wire import Header, VendorAnswer
from pipelines.sandbox.vendors.hosted.envelopes import hosted_refusal
from pipelines.sandbox.vendors.hosted.vendors import HOSTED_NAMES

#: The code that goes with a status when nothing more special is known.
ACE_CODES = {  # [A2 A9]
    200: "task_failed",
    400: "bad_request",
    401: "invalid_token",
    402: "insufficient_balance",
    403: "used_up",
    404: "no_api",
    413: "request_too_large",
    429: "too_many_requests",
    500: "api_error",
    502: "upstream_error",
    504: "timeout",
}
OPENAI_CODES = {  # classes [O1]; no public list of codes exists
    400: "invalid_value",
    401: "invalid_api_key",
    402: "insufficient_balance",
    403: "forbidden",
    404: "not_found",
    413: "request_too_large",
    422: "unprocessable_entity",
    429: "rate_limit_exceeded",
    500: "server_error",
}
OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
SERVER_ERRORS = 500
REQUEST_IDS: dict[str, tuple[bytes, ...]] = {  # headers that name a request; otherwise x-request-id [O1]
    "acedata": (),
    "qiniu": (b"x-request-id", b"x-qiniu-request-id"),  # clients look for either [Q7]
    "vllm-omni": (),
    "sglang": (),
}


class RefusalError(Exception):
    """The vendor says no. Nothing was stored, so nothing is billed. Whatever reads an order raises it."""

    def __init__(  # each is a part of some vendor's envelope
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        retry_after: float | None = None,
        form: str = "full",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.field = field
        self.retry_after = retry_after
        self.form = form

    def answer(self, contract: str) -> VendorAnswer:
        """This refusal in the envelope of the contract, and with the status that it has there."""
        wait = () if self.retry_after is None else ((b"retry-after", f"{self.retry_after:g}".encode()),)
        if contract in HOSTED_NAMES:
            status, document = hosted_refusal(contract, self.status, self.code, self.message, self.field)
            return VendorAnswer.of(document, status, *wait, *request_id(contract))
        if self.form == "detail":  # what the queue and its webhooks say of a failure [Q6]
            envelope: dict[str, Any] = {"detail": detail(self.message, self.code or "value_error", self.field)}
        elif contract == "sglang":  # as FastAPI has it [G1]
            envelope = {"detail": self.message}
        elif contract != "acedata":
            envelope = {"error": self._openai_error(contract)}
        elif self.form == "x402":  # a challenge to pay another way [A4]
            accepts = [{"scheme": "exact", "network": "base"}]
            envelope = {"x402Version": 1, "error": self.message, "accepts": accepts}
        else:
            code = self.code or ACE_CODES.get(self.status, "api_error")
            envelope = {**ace_error(code, self.message, self.form), "trace_id": str(uuid4())}
        return VendorAnswer.of(envelope, self.status, *wait, *request_id(contract))

    def _openai_error(self, contract: str) -> dict[str, Any] | str:
        """[O1]; Qiniu publishes no error body, its clients read `error.message` and `error.code` first [Q7 Q8].

        Two servers say the HTTP status again: vLLM as a number, LiteLLM as text.
        """
        if self.form == "string":
            return self.message
        usual: dict[str, Any] = {"vllm-omni": self.status, "litellm": str(self.status)}
        kind = "server_error" if self.status >= SERVER_ERRORS else "invalid_request_error"
        code = self.code or usual.get(contract) or OPENAI_CODES.get(self.status, kind)
        kind = code if code in ("insufficient_quota", kind) else OPENAI_TYPES.get(self.status, kind)
        return {"message": self.message, "type": kind, "param": self.field, "code": code}


def ace_error(code: str, message: str, form: str) -> dict[str, Any]:
    """With `success` as in the guides [A1], without as in the OpenAPI examples [A2], a bare string or null [A4]."""
    errors: dict[str, Any] = {"string": message, "null": None}
    told = {"error": errors.get(form, {"code": code, "message": message})}
    return told if form == "bare" else {"success": False, **told}


def request_id(contract: str) -> tuple[Header, ...]:
    """The headers that name a request, under a name made up for each."""
    name = b"req_" + uuid4().hex.encode()
    return tuple((header, name) for header in REQUEST_IDS.get(contract, (b"x-request-id",)))


def detail(message: str, kind: str, field: str | None = None) -> dict[str, Any]:
    """One error in the words of the queue [Q6]."""
    return {"loc": ["body", field] if field else ["body"], "msg": message, "type": kind, "url": ""}


def unknown_field(name: str) -> RefusalError:
    """A field that the contract does not have."""
    return RefusalError(400, f"Unknown parameter: '{name}'.", field=name)


def wrong_field(name: str, what: str) -> RefusalError:
    """A field whose value the contract does not allow."""
    return RefusalError(400, f"Invalid value for '{name}': {what}.", field=name)


def no_channel(model: str) -> RefusalError:
    """A model that Qiniu does not have, or not for this account [Q8]."""
    return RefusalError(400, f"no available channels for model {model}", field="model", code="model_not_found")
