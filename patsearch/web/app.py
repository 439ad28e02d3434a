"""All of the application in one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from patsearch import __version__
from patsearch.errors import (
    BackendError,
    EncoderError,
    EncoderMismatch,
    FilterError,
    ImageError,
    ImageTooLarge,
    InputError,
    PatsearchError,
    PluginError,
    StorageError,
    TimedOut,
    UnknownFormat,
    UsageError,
    VectorIndexError,
)
from patsearch.text import visible
from patsearch.web.gate import API, Gate, error_body
from patsearch.web.live import LiveIndex
from patsearch.web.routes import NotFound, Service, make_router
from patsearch.web.settings import ServerSettings
from patsearch.web.telemetry import LOGGER, Metrics
from patsearch.web.workers import Busy, Workers

STATIC = Path(__file__).parent / "static"

# The first that fits counts.
_STATUS: tuple[tuple[type[PatsearchError], int], ...] = (
    (Busy, 503),
    (TimedOut, 503),
    (NotFound, 404),
    (ImageTooLarge, 413),
    (UnknownFormat, 415),
    (ImageError, 422),
    (InputError, 404),
    (FilterError, 422),
    (UsageError, 400),
    (PluginError, 501),
    (EncoderMismatch, 409),
    (VectorIndexError, 503),
    (EncoderError, 503),
    (BackendError, 503),
    (StorageError, 503),
)
_RETRY_AFTER = {"retry-after": "1"}


def create_app(settings: ServerSettings) -> FastAPI:
    """The application over one index. Its worker processes live as long as its lifespan.

    Raises:
        VectorIndexError: the index does not exist, or cannot be opened.
    """
    metrics = Metrics()
    index = LiveIndex(settings.index)
    service = Service(settings, index, Workers(settings, metrics), metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.failure = None
        watching = asyncio.create_task(service.probe.watch())
        try:
            with index.borrowed() as (engine, _):
                await service.workers.warm(engine.spec)
            yield
        except PatsearchError as error:
            # The server around this only says that something failed; the user needs to know what.
            app.state.failure = error
            raise
        finally:
            watching.cancel()
            await asyncio.to_thread(service.close)

    app = FastAPI(
        title="patsearch",
        version=__version__,
        summary="Search patent drawings by picture.",
        lifespan=lifespan,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.include_router(make_router(service), prefix=API)
    _add_pages(app, service)
    _add_errors(app, settings)
    app.add_middleware(Gate, settings=settings, metrics=metrics)
    return app


def _add_pages(app: FastAPI, service: Service) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        count = await service.with_engine(lambda engine: engine.backend.count())
        service.metrics.drawings.set(count)
        return Response(service.metrics.page(), media_type="text/plain; version=0.0.4")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")


def _add_errors(app: FastAPI, settings: ServerSettings) -> None:
    """Every error in one shape, without tracebacks and paths of this machine."""

    async def ours(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, PatsearchError)
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
        # Messages name the index by its path, which clients must not see.
        message = error.message.replace(str(settings.index), settings.index.name)
        body = error_body(type(error).__name__, message, error.hint)
        if status >= 500 and not isinstance(error, Busy | TimedOut):
            # The reason may name files of this machine: only the log gets it.
            LOGGER.error("cannot answer", extra={"fields": {"reason": str(error)}})
            body = error_body(type(error).__name__, _CANNOT.get(status, _CANNOT[503]))
        return JSONResponse(body, status, _RETRY_AFTER if status == 503 else None)

    async def storage(request: Request, error: Exception) -> JSONResponse:
        return await ours(request, StorageError(str(error)))

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return JSONResponse(error_body("InvalidRequest", f"{where}: {first['msg']}."[:300]), 422)

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        detail: Any = error.detail
        if not isinstance(detail, dict):
            hint = _HINTS.get(error.status_code, "").format(allowed=(error.headers or {}).get("Allow", ""))
            detail = error_body("HttpError", f"{detail}: {request.method} {visible(request.url.path[:200])}.", hint)
        return JSONResponse(detail, error.status_code, error.headers)

    app.add_exception_handler(PatsearchError, ours)
    app.add_exception_handler(OSError, storage)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


_HINTS = {
    404: f"GET {API}/openapi.json lists the addresses.",
    405: "This address takes {allowed}.",
}
_CANNOT = {
    501: "The answer needs a package that this server does not have; the server's log says which.",
    503: "The index cannot be searched at the moment; the server's log says why.",
}
