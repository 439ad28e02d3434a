"""The addresses of the API."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Body, Depends, File, Form, Query, Request, Response, UploadFile
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse

from patsearch import __version__
from patsearch.backends.base import Embeddings, IndexSpec
from patsearch.deadline import check
from patsearch.drawings.document import MOST_FIGURES
from patsearch.encoder.shape import Comparison
from patsearch.engine import Engine, compose
from patsearch.engine.explain import Explanation, Heated
from patsearch.engine.wire import DrawingOfPatent, PatentAnswer
from patsearch.errors import InputError, UsageError
from patsearch.numbers import normal_number
from patsearch.record import Cover, SavedSearch, render_page, render_pdf
from patsearch.record.cover import LONGEST
from patsearch.types import Drawing, JsonDict
from patsearch.web import schemas
from patsearch.web.asking import Asked, FieldText, answer, filter_of, invalid, public, read_form
from patsearch.web.facets import Facets
from patsearch.web.fields import known_fields
from patsearch.web.gate import COOKIE, WRONG_TOKEN_SECONDS, equal, error_body, session_value
from patsearch.web.live import LiveIndex
from patsearch.web.probe import Probe
from patsearch.web.settings import MAX_TOP, ServerSettings
from patsearch.web.telemetry import Metrics
from patsearch.web.workers import EncodedSheet, Upload, Uploaded, Workers, explain_uploads, read_saved

_API_VERSION = 1
# Patents change seldom, and a drawing's picture only when its patent is ingested again.
_CACHED = "private, max-age=300"
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ErrorAnswer} for status in (400, 401, 403, 408, 413, 422, 503)
}
_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": schemas.ErrorAnswer}}
_PICTURES: dict[int | str, dict[str, Any]] = {415: {"model": schemas.ErrorAnswer}}
_RERUN: dict[int | str, dict[str, Any]] = {409: {"model": schemas.ErrorAnswer}, **_NOT_FOUND}
_PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}, **_NOT_FOUND}
_RECORD_TYPES = {"html": "text/html; charset=utf-8", "pdf": "application/pdf"}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {}, "application/pdf": {}}}, **_NOT_FOUND, **_PICTURES
}  # fmt: skip
# A saved search is the user's file: a server bounds what it may request.
_MOST_SAVED_VECTORS = 8 * MOST_FIGURES
_MOST_SAVED_BYTES = 16 << 20

_LONGEST_ID = 300

T = TypeVar("T")
Name = Annotated[str, PathParameter(max_length=_LONGEST_ID)]


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a drawing was found: `why.query` has one entry an upload; `measured` is the search's score and word."""

    uploads: tuple[Upload, ...]
    why: Explanation
    measured: JsonDict


class Service:
    """What the routes share: index, workers, and threads to search in."""

    def __init__(self, settings: ServerSettings, index: LiveIndex, workers: Workers, metrics: Metrics) -> None:
        self.settings = settings
        self.index = index
        self.workers = workers
        self.metrics = metrics
        self.threads = ThreadPoolExecutor(settings.workers, thread_name_prefix="search")
        self.probe = Probe(settings, index, workers)

    async def with_engine(self, work: Callable[[Engine], T]) -> T:
        """Work with the engine in a thread, as reading it waits for files: all that may take long, answers included."""
        return await self.with_index(lambda engine, _: work(engine))

    async def with_index(self, work: Callable[[Engine, Facets], T]) -> T:
        """Work with the engine and its facets in a thread."""

        def call() -> T:
            check()  # it may have waited for a thread until its time was up
            with self.index.borrowed() as (engine, facets):
                return work(engine, facets)

        # The deadline of the request is in its context.
        return await asyncio.get_running_loop().run_in_executor(self.threads, copy_context().run, call)

    async def encode(self, asked: Asked) -> Uploaded | None:
        """The vectors of the uploads; None where there are none."""
        if not asked.uploads:
            return None
        with self.index.borrowed() as (engine, _):
            spec = engine.spec
        question = asked.question
        return await self.workers.encode(spec, asked.uploads, rotations=question.rotations, mirror=question.mirror)

    async def explain(self, asked: Asked, drawing: str) -> Explained:
        """Which regions of a query and of an indexed drawing agree most.

        Raises:
            NotFound: no such drawing, or it has no picture.
            ImageError, InputError, UsageError: the query cannot be used.
        """
        encoded = await self.encode(asked)

        def gather(engine: Engine) -> tuple[IndexSpec, tuple[Upload, ...], bytes, Embeddings, JsonDict]:
            found = engine.backend.get([drawing])
            png = engine.thumbnails.get(drawing)
            if drawing not in found or png is None:
                raise NotFound(f"The drawing {drawing[:60]!r} is not in the index, or has no picture.")
            vector = found[drawing][1]
            composed = compose(engine, asked.asked(encoded))
            comparison = Comparison(engine.shape_dim, asked.question.style)
            query = composed.vectors.compared(comparison)
            sent = encoded.closest(vector, comparison) if encoded else ()
            # Of indexed drawings in the query, the pictures are compared; the score is of what the search compared.
            of_uploads = len(encoded.pictures) if encoded else 0
            indexed = [Upload(p.name, p.png) for p in composed.pictures[of_uploads:] if p.png]
            uploads = (*sent, *indexed)[: self.settings.max_pictures]
            ((score, likeness),) = query.scores(comparison.of(vector[None]), engine.card)
            return engine.spec, uploads, png, vector, {"score": round(score, 6), "likeness": likeness}

        spec, uploads, png, vector, measured = await self.with_engine(gather)
        style, limits = asked.question.style, self.workers.limits
        why = await self.workers.run(explain_uploads, spec, uploads, (png, vector), style, limits)
        return Explained(uploads, why, measured)

    def close(self) -> None:
        self.threads.shutdown(cancel_futures=True)
        self.workers.close()
        self.index.close()


def make_router(service: Service) -> APIRouter:
    """All addresses below /api/v1, bound to a service."""
    router = APIRouter(responses=_ERRORS, dependencies=[Depends(known_fields)])
    form = Depends(read_form(service.settings))
    _describing(router, service)
    _searching(router, service, form)
    _filing(router, service, form)
    _signing_in(router, service)
    return router


# ---------------------------------------------------------------------- the index and its contents


def _describing(router: APIRouter, service: Service) -> None:
    settings = service.settings

    @router.get("/health", response_model=schemas.Health)
    async def health() -> JSONResponse:
        """Whether the server can search: it tries that with its own picture at intervals, and says the last outcome."""
        if service.probe.failure:
            return JSONResponse(error_body("NotReady", service.probe.failure), 503)
        return JSONResponse({"status": "ok", "version": __version__})

    @router.get("/version", response_model=schemas.Version)
    async def version() -> JSONResponse:
        """The program's version and the API's."""
        return JSONResponse({"version": __version__, "api": _API_VERSION})

    @router.get("/index", response_model=schemas.IndexAnswer)
    async def index() -> JSONResponse:
        """What the index is, and the limits of one request."""

        def describe(engine: Engine) -> JSONResponse:
            spec = engine.spec
            about = {
                "path": engine.path.name,
                "fingerprint": engine.fingerprint(),
                "backend": engine.manifest.backend,
                "patents": engine.backend.patents(),
                "drawings": engine.backend.count(),
                "encoder": {"name": spec.encoder, "sha256": spec.encoder_sha256, "dim": spec.dim},
                "limits": {
                    "bytes": settings.max_bytes,
                    "picture_bytes": settings.max_picture_bytes,
                    "pictures": settings.max_pictures,
                    "pixels": settings.max_pixels,
                    "figures": MOST_FIGURES,
                    "top": MAX_TOP,
                },
            }
            return JSONResponse(about)

        return await service.with_engine(describe)

    @router.get("/facets", response_model=schemas.FacetsAnswer)
    async def count_facets(filter: Annotated[list[FieldText], Query(max_length=32)] = []) -> JSONResponse:  # noqa: B006
        """Classes, years, kinds, owners and countries of the patents that a filter selects."""
        return await service.with_index(lambda _, facets: JSONResponse(facets.count(filter_of(filter))))

    @router.get("/patents/{number}", response_model=PatentAnswer, responses=_NOT_FOUND)
    async def patent(number: Name) -> JSONResponse:
        """One patent with all its drawings, owners, inventors, citations and term."""

        def describe(engine: Engine) -> JSONResponse:
            drawings = engine.drawings_of(number)[0]
            if not drawings:
                raise NotFound(f"The patent {normal_number(number)[:60]} is not in the index.")
            return JSONResponse(PatentAnswer.of(drawings).model_dump(mode="json"), headers={"cache-control": _CACHED})

        return await service.with_engine(describe)

    @router.get("/drawings/{drawing_id}", response_model=DrawingOfPatent, responses=_NOT_FOUND)
    async def drawing(drawing_id: Name) -> JSONResponse:
        """One drawing."""
        found = await service.with_engine(lambda engine: _drawing(engine, drawing_id))
        return JSONResponse(
            DrawingOfPatent.of(found, patent=found.patent).model_dump(), headers={"cache-control": _CACHED}
        )

    @router.get("/drawings/{drawing_id}/thumbnail", response_class=Response, responses=_PNG)
    async def thumbnail(drawing_id: Name) -> Response:
        """The picture of a drawing."""
        png = await service.with_engine(lambda engine: engine.thumbnails.get(drawing_id))
        if png is None:
            raise NotFound(f"The drawing {drawing_id[:60]} has no picture here.")
        return Response(png, media_type="image/png", headers={"cache-control": _CACHED})


# ---------------------------------------------------------------------- searching


def _searching(router: APIRouter, service: Service, form: Any) -> None:
    @router.post("/figures", response_model=schemas.FiguresAnswer, responses=_PICTURES)
    async def figures(asked: Asked = form) -> JSONResponse:
        """What is found in the pictures: the figures of sheets and of documents, each with its number and picture."""
        encoded = await service.encode(asked)
        if encoded is None:
            raise UsageError("No picture given.", hint="Send at least one image or PDF.")
        return JSONResponse(await asyncio.to_thread(_found_in, encoded))

    @router.post("/search", response_model=schemas.SearchAnswer, responses={**_NOT_FOUND, **_PICTURES})
    async def search(asked: Asked = form) -> JSONResponse:
        """The patents whose drawings look most like the pictures."""
        encoded = await service.encode(asked)

        def find(engine: Engine) -> JSONResponse:
            record, _, more = asked.record(engine, encoded)
            service.metrics.search_seconds.observe(record.seconds or 0.0)
            return JSONResponse(answer(asked, record, more))

        return await service.with_engine(find)

    @router.post("/explain", response_model=schemas.ExplainAnswer, responses={**_NOT_FOUND, **_PICTURES})
    async def explain(
        asked: Asked = form,
        drawing: Annotated[str, Form(max_length=_LONGEST_ID, description="Id of a found drawing.")] = "",
    ) -> JSONResponse:
        """Which regions of the pictures and of a found drawing agree most."""

        explained = await service.explain(asked, drawing)
        why = explained.why
        return JSONResponse(
            {
                "drawing": drawing,
                **explained.measured,
                "method": why.method,
                "query": [
                    {"name": upload.name, **_heated(one)}
                    for upload, one in zip(explained.uploads, why.query, strict=True)
                ],
                "found": {"name": None, **_heated(why.found)},
            }
        )


def _found_in(uploaded: Uploaded) -> JsonDict:
    return {
        "pictures": [
            {
                "name": upload.name,
                "kind": found.kind,
                "pages": found.pages,
                "figures": [
                    {
                        "number": number,
                        "name": figure.name,
                        "page": figure.page,
                        "label": figure.label,
                        "picture": b64encode(figure.png).decode(),
                        "width": figure.size[0],
                        "height": figure.size[1],
                        "whole": b64encode(figure.whole).decode() if figure.whole else None,
                    }
                    for number, figure in enumerate(found.figures, start=1)
                ],
                "remarks": list(found.remarks),
                "crop": ",".join(map(str, found.crop)) if found.crop else None,
                "flat": found.flat,
                "sheet": _sheet(found.sheet) if found.sheet else None,
            }
            for upload, found in zip(uploaded.uploads, uploaded.encoded, strict=True)
        ]
    }


def _sheet(sheet: EncodedSheet) -> JsonDict:
    return {"picture": b64encode(sheet.png).decode(), "width": sheet.size[0], "height": sheet.size[1]}


def _heated(one: Heated) -> JsonDict:
    return {"picture": b64encode(one.picture).decode(), "heat": b64encode(one.heat).decode()}


# ---------------------------------------------------------------------- filing


def _filing(router: APIRouter, service: Service, form: Any) -> None:
    @router.post("/report", response_class=Response, responses=_FILE)
    async def report(
        *,
        asked: Asked = form,
        kind: Annotated[Literal["html", "pdf"], Query(alias="format")] = "html",
        docket: Annotated[str, Form(max_length=LONGEST["docket"], description="Written on the record.")] = "",
        title: Annotated[str, Form(max_length=LONGEST["title"], description="Written on the record.")] = "",
        searcher: Annotated[str, Form(max_length=LONGEST["searcher"], description="Written on the record.")] = "",
        notes: Annotated[str, Form(max_length=LONGEST["notes"], description="Written on the record.")] = "",
    ) -> Response:
        """The search record as a file: the question, the index, the time, and what was found."""
        encoded = await service.encode(asked)
        cover = Cover.of(docket=docket, title=title, searcher=searcher, notes=notes)

        def write(engine: Engine) -> tuple[bytes, str]:
            found, _, _ = asked.record(engine, encoded)
            record = found.filed(engine, cover)
            name = cover.file_name(kind, record.asked[:10])
            if kind == "pdf":
                return render_pdf(record, engine.thumbnails), name
            return render_page(record, engine.thumbnails).encode(), name

        data, name = await service.with_engine(write)
        return _download(data, name, _RECORD_TYPES[kind])

    @router.post("/records", responses={**_NOT_FOUND, **_PICTURES})
    async def save(asked: Asked = form, name: Annotated[str, Query(max_length=200)] = "search") -> JSONResponse:
        """The search as a file that can be repeated, here or by `patsearch watch`."""
        encoded = await service.encode(asked)

        def keep(engine: Engine) -> JSONResponse:
            record, query, _ = asked.record(engine, encoded)
            saved = SavedSearch.of(record, query, name=name)
            return JSONResponse(
                saved.model_dump(mode="json"), headers={"content-disposition": 'attachment; filename="search.json"'}
            )

        return await service.with_engine(keep)

    @router.post("/records/rerun", response_model=schemas.RerunAnswer, responses=_RERUN)
    async def rerun(record: Annotated[UploadFile, File(description="A saved search.")]) -> JSONResponse:
        """Repeat a saved search; `new` are the patents that it has not shown before."""
        too_large = UsageError(
            "The saved search is larger than this server allows.",
            hint=f"Up to {_MOST_SAVED_BYTES >> 20} MiB, {MAX_TOP} results and {_MOST_SAVED_VECTORS} vectors.",
        )
        if (record.size or 0) > _MOST_SAVED_BYTES:
            raise invalid(too_large)
        try:
            saved: SavedSearch = await service.workers.run(read_saved, await record.read())
        except InputError as error:
            raise invalid(error) from error
        if saved.options.top > MAX_TOP or len(saved.picture) > _MOST_SAVED_VECTORS:
            raise invalid(too_large)

        def repeat(engine: Engine) -> JSONResponse:
            news = saved.rerun(engine)
            found = public(news.record)
            return JSONResponse(
                {
                    **found.to_json(),
                    "page": {"offset": 0, "count": len(found.hits), "more": False},
                    "name": saved.name,
                    "new": [hit.patent for hit in news.new],
                    "record": news.after.model_dump(mode="json"),
                }
            )

        return await service.with_engine(repeat)


def _download(data: bytes, name: str, kind: str) -> Response:
    # An attachment is never shown as a page of this server, and so never runs with its rights.
    plain = name.encode("ascii", "replace").decode().replace("?", "-")
    named = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
    return Response(data, media_type=kind, headers={"content-disposition": named})


# ---------------------------------------------------------------------- signing in


def _signing_in(router: APIRouter, service: Service) -> None:
    token = service.settings.token

    @router.post("/session", response_model=schemas.SessionAnswer)
    async def sign_in(
        request: Request, given: Annotated[str, Body(embed=True, alias="token", max_length=1000)]
    ) -> Response:
        """Exchange the token for a cookie that the page cannot read."""
        if token is None:
            return JSONResponse({"signed_in": True})
        if not equal(given, token):
            await asyncio.sleep(WRONG_TOKEN_SECONDS)
            return JSONResponse(error_body("TokenMissing", "The token is wrong."), 401)
        response = JSONResponse({"signed_in": True})
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, session_value(token), httponly=True, samesite="strict", secure=secure, path="/")
        return response

    @router.delete("/session", response_model=schemas.SessionAnswer)
    async def sign_out() -> JSONResponse:
        """Forget the cookie."""
        response = JSONResponse({"signed_in": token is None})
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", path="/")
        return response


class NotFound(InputError):
    """No such patent, drawing or picture."""


def _drawing(engine: Engine, drawing_id: str) -> Drawing:
    found = engine.backend.get([drawing_id])
    if drawing_id not in found:
        raise NotFound(f"The drawing {drawing_id[:60]} is not in the index.")
    return found[drawing_id][0]
