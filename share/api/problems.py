"""Errors as problem details, RFC 9457: application/problem+json with a title, a status and one sentence."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from share.api.answers import Problem
from utils.errors import PlainError

RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {"application/problem+json": {}}} for status in (404, 408, 409, 413, 422)
}


def handle(app: FastAPI) -> None:
    """Have an app answer its errors as problem details."""

    @app.exception_handler(HTTPException)
    async def of_http(_: Request, error: HTTPException) -> JSONResponse:
        return _problem(error.status_code, str(error.detail))

    @app.exception_handler(RequestValidationError)
    async def of_parameters(_: Request, error: RequestValidationError) -> JSONResponse:
        said = [f"{each['loc'][-1]}: {each['msg']}" for each in error.errors()]
        return _problem(422, "; ".join(said))

    @app.exception_handler(PlainError)
    async def of_ours(_: Request, error: PlainError) -> JSONResponse:
        return _problem(422, str(error))


def _problem(status: int, detail: str) -> JSONResponse:
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(problem.model_dump(), status, media_type="application/problem+json")
