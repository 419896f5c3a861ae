"""How a request is turned down: an HTTP status, a sentence, and when trying again may help."""

from __future__ import annotations

import math

from pydantic import BaseModel
from starlette.responses import JSONResponse

__all__ = ["ErrorAnswer", "RefusalError", "deadline_missed"]


class ErrorAnswer(BaseModel):
    """What every answer but a success holds."""

    error: str


class RefusalError(Exception):
    """A request that is not carried out.

    Args:
        status: the HTTP status.
        message: what is wrong, a sentence for the user.
        retry_after_s: seconds until trying again makes sense.
    """

    def __init__(self, status: int, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status, self.message = status, message
        self.headers: dict[str, str] = {}
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))

    def response(self) -> JSONResponse:
        """The answer that says so."""
        return JSONResponse({"error": self.message}, self.status, headers=self.headers)


def deadline_missed() -> RefusalError:
    """For a request whose deadline has passed, or cannot be kept."""
    return RefusalError(503, "This took too long. Please try again.", retry_after_s=5)
