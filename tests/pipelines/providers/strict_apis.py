"""Four video APIs, each as strict as its vendor's public pages: written from those, and not from any profile."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

CLIP = b"\x00\x00\x00\x18ftypmp42 a clip"
KEY = "r8_canary-0123456789abcdef"
PAIR = "access-0123456789:secret-0123456789"


@dataclass
class Asked:
    """One request."""

    method: str
    path: str  # as it came, percent-encoded
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class RefusedError(Exception):
    """An HTTP status and what is said with it."""

    def __init__(self, status: int, said: Any) -> None:
        super().__init__(said)
        self.answer = status, said


@dataclass
class StrictApi:
    """A server on loopback; its subclasses are the vendors."""

    root: str = ""
    asked: list[Asked] = field(default_factory=list)
    ends: str = "well"  # or badly, or moderated
    polls: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request and answer it."""
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            method, target, _ = lines[0].split(" ")
            parts = urlsplit(target)
            asked = Asked(method, parts.path, dict(parse_qsl(parts.query)), headers, json.loads(body) if body else None)
            self.asked.append(asked)
            try:
                status, said = self.answer(asked)
            except RefusedError as refused:
                status, said = refused.answer
            content = said if isinstance(said, bytes) else json.dumps(said).encode()
            head = f"HTTP/1.1 {status} Said\r\ncontent-length: {len(content)}\r\nconnection: close\r\n\r\n"
            writer.write(head.encode() + content)
            await writer.drain()
        finally:
            writer.close()

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Status and body for a request."""
        raise NotImplementedError

    def only(self, given: dict[str, Any], where: str, required: dict[str, type], optional: dict[str, type]) -> None:
        """Refuse a field that the vendor does not have, or of another type."""
        known = required | optional
        for name, value in given.items():
            if name not in known or not isinstance(value, known[name]):
                raise RefusedError(422, {"detail": f"{where}{name}: {value!r} is not expected"})
        for name in required:
            if name not in given:
                raise RefusedError(422, {"detail": f"{where}{name} is required"})

    def waits(self) -> bool:
        """The first query finds a job unfinished."""
        self.polls += 1
        return self.polls == 1


class Replicate(StrictApi):
    """`POST /v1/models/{owner}/{name}/predictions`, `GET /v1/predictions/{id}`, `GET /v1/predictions`."""

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Status and body for a request."""
        if asked.path == "/files/out.mp4":
            assert "authorization" not in asked.headers
            return 200, CLIP
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return 401, {"title": "Unauthenticated", "detail": "You did not pass a valid authentication token"}
        match asked.method, asked.path.split("/")[1:]:
            case "POST", ["v1", "models", "bytedance", "seedance-1-pro", "predictions"]:
                self.only(asked.body, "", {"input": dict}, {"webhook": str})
                fields = {"image": str, "duration": int, "resolution": str, "aspect_ratio": str, "seed": int}
                self.only(asked.body["input"], "input.", {"prompt": str}, fields)
                return 201, self.prediction("starting")
            case "GET", ["v1", "predictions", "gm3qorzdhgbfurvjtvhg6dckhu"]:
                if self.waits():
                    return 200, self.prediction("processing")
                if self.ends == "well":
                    return 200, self.prediction("succeeded", output=f"{self.root}/files/out.mp4")
                words = (
                    "The input was flagged as sensitive (E005)" if self.ends == "moderated" else "CUDA out of memory"
                )
                return 200, self.prediction("failed", error=words)
            case "GET", ["v1", "predictions"]:
                return 200, {"previous": None, "next": None, "results": [self.prediction("succeeded")]}
        return 404, {"detail": "The requested resource could not be found.", "status": 404}

    def prediction(self, status: str, **more: Any) -> dict[str, Any]:
        """A prediction as every answer has it."""
        here = f"{self.root}/v1/predictions/gm3qorzdhgbfurvjtvhg6dckhu"
        return {
            "id": "gm3qorzdhgbfurvjtvhg6dckhu",
            "model": "bytedance/seedance-1-pro",
            "input": {"prompt": "a fox"},
            "logs": "",
            "error": None,
            "output": None,
            "status": status,
            "created_at": "2026-11-22T05:00:00.000Z",
            "urls": {"get": here, "cancel": f"{here}/cancel"},
            **more,
        }


class Fal(StrictApi):
    """`POST /{model}`, then the addresses that the answer gives; the result is a request of its own."""

    APP = "/fal-ai/kling-video"
    MODEL = f"{APP}/v2.5-turbo/pro/text-to-video"
    ID = "764cabcf-b745-4b3e-ae38-1200304cf45b"

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Status and body for a request."""
        if asked.path == "/files/out.mp4":
            return 200, CLIP
        if asked.headers.get("authorization") != f"Key {KEY}":
            return 401, {"detail": "Authentication is required to access this application."}
        here = f"{self.APP}/requests/{self.ID}"
        match asked.method, asked.path:
            case "POST", self.MODEL:
                fields = {"duration": str, "aspect_ratio": str, "negative_prompt": str, "cfg_scale": float}
                self.only(asked.body, "", {"prompt": str}, fields)
                urls = {"response_url": here, "status_url": f"{here}/status", "cancel_url": f"{here}/cancel"}
                said = {name: self.root + path for name, path in urls.items()}
                return 200, {"request_id": self.ID, "status": "IN_QUEUE", "queue_position": 0, **said}
            case "GET", path if path == f"{here}/status":
                word = "IN_PROGRESS" if self.waits() else "COMPLETED"
                return 200, {"status": word, "request_id": self.ID, "response_url": f"{self.root}{here}"}
            case "GET", path if path == here:
                if self.ends == "well":
                    return 200, {"video": {"url": f"{self.root}/files/out.mp4", "content_type": "video/mp4"}}
                kind = "content_policy_violation" if self.ends == "moderated" else "generation_failed"
                return 422, {"detail": [{"loc": ["body", "prompt"], "msg": "It could not be made.", "type": kind}]}
        return 404, {"detail": "Path not found"}


class Kling(StrictApi):
    """A token signed with the secret; `code` with every answer; text and image at paths of their own."""

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Status and body for a request."""
        if asked.path == "/files/out.mp4":
            return 200, CLIP
        if not self.signed(asked.headers.get("authorization", "")):
            return 401, {"code": 1002, "message": "Authorization is invalid", "request_id": "Cl6kH2"}
        match asked.method, asked.path.split("/")[1:]:
            case "POST", ["v1", "videos", ("text2video" | "image2video") as kind]:
                fields = {"prompt": str, "duration": str, "mode": str, "negative_prompt": str, "callback_url": str}
                own = {"image": str} if kind == "image2video" else {"aspect_ratio": str}
                self.only(asked.body, "", {"model_name": str}, fields | own)
                return 200, self.envelope({"task_status": "submitted"})
            case "GET", ["v1", "videos", "text2video" | "image2video", "CjMT7WdSwWcAAAAAALvB3g"]:
                if self.waits():
                    return 200, self.envelope({"task_status": "processing"})
                if self.ends == "well":
                    video = {"id": "8f2", "url": f"{self.root}/files/out.mp4", "duration": "5"}
                    return 200, self.envelope({"task_status": "succeed", "task_result": {"videos": [video]}})
                words = "Failure to pass the risk control system" if self.ends == "moderated" else "Internal"
                return 200, self.envelope({"task_status": "failed", "task_status_msg": words})
        return 404, {"code": 1203, "message": "The requested resource does not exist", "request_id": "Cl6kH2"}

    def envelope(self, data: dict[str, Any]) -> dict[str, Any]:
        """An answer that is no error."""
        task = {"task_id": "CjMT7WdSwWcAAAAAALvB3g", "created_at": 1722769557708, "updated_at": 1722769558000, **data}
        return {"code": 0, "message": "SUCCEED", "request_id": "Cl6kH2", "data": task}

    def signed(self, said: str) -> bool:
        """Whether it is a token of our key that holds now."""
        access, secret = PAIR.split(":")
        scheme, _, token = said.partition(" ")
        if scheme != "Bearer" or token.count(".") != 2:
            return False
        head, claims, signature = token.split(".")
        mine = base64.urlsafe_b64encode(hmac.digest(secret.encode(), f"{head}.{claims}".encode(), hashlib.sha256))
        read = [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (head, claims)]
        holds = read[1]["nbf"] <= time.time() < read[1]["exp"]
        return (
            read[0]["alg"] == "HS256" and read[1]["iss"] == access and mine.rstrip(b"=").decode() == signature and holds
        )


class GoogleVeo(StrictApi):
    """`POST /v1beta/models/{model}:predictLongRunning`, an operation with `done`, and a file that needs the key."""

    NAME = "models/veo-3.1-generate-preview/operations/n5a2z"

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Status and body for a request."""
        if asked.headers.get("x-goog-api-key") != KEY:
            error = {
                "code": 403,
                "message": "Method doesn't allow unregistered callers.",
                "status": "PERMISSION_DENIED",
            }
            return 403, {"error": error}
        match asked.method, unquote(asked.path):
            case "POST", "/v1beta/models/veo-3.1-generate-preview:predictLongRunning":
                self.only(asked.body, "", {"instances": list}, {"parameters": dict})
                (instance,) = asked.body["instances"]
                self.only(instance, "instances[0].", {"prompt": str}, {"image": dict})
                if "image" in instance:
                    self.only(instance["image"], "image.", {"bytesBase64Encoded": str, "mimeType": str}, {})
                fields = {"aspectRatio": str, "durationSeconds": int, "resolution": str, "negativePrompt": str}
                self.only(asked.body.get("parameters", {}), "parameters.", {}, fields)
                return 200, {"name": self.NAME}
            case "GET", path if path == f"/v1beta/{self.NAME}" and "%" not in asked.path:
                if self.waits():
                    return 200, {"name": self.NAME}
                return 200, {"name": self.NAME, "done": True, **self.ending()}
            case "GET", "/v1beta/files/abc:download" if asked.query == {"alt": "media"}:
                return 200, CLIP
        return 404, {"error": {"code": 404, "message": "Not found.", "status": "NOT_FOUND"}}

    def ending(self) -> dict[str, Any]:
        """What an operation that is done comes to."""
        uri = f"{self.root}/v1beta/files/abc:download?alt=media"
        if self.ends == "badly":
            return {"error": {"code": 13, "message": "Internal error.", "status": "INTERNAL"}}
        samples = {"generatedSamples": [{"video": {"uri": uri}}]}
        filtered = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["Support codes: 15236754"]}
        return {"response": {"generateVideoResponse": samples if self.ends == "well" else filtered}}
