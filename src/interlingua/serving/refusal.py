"""How a request is turned down: an HTTP status, a sentence, and when trying again may help."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pydantic import BaseModel
from starlette.responses import JSONResponse

__all__ = ["ErrorAnswer", "RefusalError", "deadline_missed", "unknown_model"]


_OPENAI_PATHS = ("/v1/audio/", "/v1/images/", "/v1/models")
_OPENAI_ERRORS = {
    401: ("invalid_request_error", "invalid_api_key"),
    429: ("requests", "rate_limit_exceeded"),
}
"""The type and the code that OpenAI gives errors of some statuses."""


class ErrorAnswer(BaseModel):
    """What every answer but a success holds."""

    error: str


class RefusalError(Exception):
    """A request that is not carried out.

    Args:
        status: the HTTP status.
        message: what is wrong, a sentence for the user.
        retry_after_s: seconds until trying again makes sense.
        field: of the request, which is wrong.
        code: a word for the kind, which OpenAI's clients know.
    """

    def __init__(
        self, status: int, message: str, *, retry_after_s: float | None = None, field: str | None = None,
        code: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status, self.message, self.field, self.code = status, message, field, code
        self.headers: dict[str, str] = {}
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))

    def response(self, path: str = "") -> JSONResponse:
        """The answer that says so, in the form of whose API the path is of."""
        if not path.startswith(_OPENAI_PATHS):
            return JSONResponse({"error": self.message}, self.status, headers=self.headers)
        return JSONResponse({"error": self.for_openai()}, self._openai_status, headers=self.headers)

    def for_openai(self) -> dict[str, str | None]:
        """The error as OpenAI's clients read it."""
        type_, code = _OPENAI_ERRORS.get(self._openai_status, ("invalid_request_error", None))
        return {
            "message": self.message, "type": "server_error" if self.status >= 500 else type_,
            "param": self.field, "code": self.code or code,
        }  # fmt: skip

    @property
    def _openai_status(self) -> int:
        return 401 if self.status == 403 else self.status


def deadline_missed() -> RefusalError:
    """For a request whose deadline has passed, or cannot be kept."""
    return RefusalError(503, "This took too long. Please try again.", retry_after_s=5)


def unknown_model(name: object, known: Iterable[str]) -> RefusalError:
    """For a request that names a model which is not served for this."""
    return RefusalError(
        404, f"There is no model {str(name)[:40]!r} for this. Known: {', '.join(known)}.", field="model",
        code="model_not_found",
    )  # fmt: skip
