"""A client of `patsearch serve`: the same calls as on an index of one's own, asked over HTTP.

import patsearch

with patsearch.connect("http://127.0.0.1:8765") as server:
    for hit in server.search(Image.open("drawing.png"), k=20, where="uspc=D14"):
        print(hit.rank, hit.patent, hit.score, hit.title)
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from patsearch import errors
from patsearch.classification import SCHEMES, ClassCode
from patsearch.errors import BackendError, PatsearchError, PluginError, UsageError
from patsearch.filters import Filter
from patsearch.types import Drawing, Hit, JsonDict, PatentHit

if TYPE_CHECKING:
    import httpx
    from PIL import Image

    Picture = Image.Image | bytes | Path | str

_API = "/api/v1"
_TRIES = 5
_LONGEST_WAIT = 10.0  # seconds


def connect(url: str, *, token: str | None = None, timeout: float = 60.0) -> Client:
    """A client of the server at an address such as `http://127.0.0.1:8765`.

    Args:
        token: what the server asks for.
        timeout: seconds that an answer may take.

    Raises:
        UsageError: the address is none of HTTP.
        PluginError: the package that speaks HTTP is not installed.
    """
    return Client(url, token=token, timeout=timeout)


class Client:
    """Use `connect`. A context manager; one client may be used from several threads."""

    def __init__(
        self, url: str, *, token: str | None = None, timeout: float = 60.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        try:
            import httpx
        except ImportError as error:
            raise PluginError(
                "Asking a server needs a package that is not installed: httpx.",
                hint="Run: pip install 'patsearch[client]'.",
            ) from error
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{url!r} is no address of a server.", hint="Write http://HOST:PORT.")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url + _API, headers=headers, timeout=timeout, transport=transport)

    # ------------------------------------------------------------------ asking

    def search(
        self,
        images: Picture | Sequence[Picture] = (),
        *,
        k: int = 10,
        where: Filter | str | Sequence[str] | None = None,
        **options: Any,
    ) -> list[PatentHit]:
        """The k patents whose drawings look most like the pictures, best first.

        Args:
            images: one picture, or several that together are one query: PIL images, bytes of files, or paths.
            where: a filter, or its text.
            options: further fields of the form: `rotations=True`, `like="D907292"`, `relevant=[...]`
                (docs/reference/http.md).

        Raises:
            PatsearchError: what the server's own functions raise, as the same classes.
            BackendError: the server does not answer, or not like one of ours.
        """
        return [patent_hit(hit) for hit in self.record(images, k=k, where=where, **options)["hits"]]

    def record(
        self,
        images: Picture | Sequence[Picture] = (),
        *,
        k: int = 10,
        where: Filter | str | Sequence[str] | None = None,
        **options: Any,
    ) -> JsonDict:
        """Like `search`, as the search record that `patsearch query --json` prints."""
        return self._read(self._ask("search", images, k, where, options))

    def report(
        self,
        images: Picture | Sequence[Picture] = (),
        *,
        kind: Literal["html", "pdf"] = "html",
        k: int = 10,
        where: Filter | str | Sequence[str] | None = None,
        **options: Any,
    ) -> bytes:
        """The search record as a file that can be filed."""
        return self._ask("report", images, k, where, options, params={"format": kind}).content

    def save(
        self,
        images: Picture | Sequence[Picture] = (),
        *,
        name: str = "search",
        k: int = 10,
        where: Filter | str | Sequence[str] | None = None,
        **options: Any,
    ) -> bytes:
        """The search as a file for `rerun` and for `patsearch watch`."""
        return self._ask("records", images, k, where, options, params={"name": name}).content

    def rerun(self, saved: bytes) -> JsonDict:
        """Ask a saved search again: a search record with `new`, and `record` to be kept in its place."""
        return self._json("POST", "records/rerun", files=[("record", ("search.json", saved, "application/json"))])

    def explain(self, images: Picture | Sequence[Picture], drawing: str) -> JsonDict:
        """Which regions of the pictures and of an indexed drawing agree most (docs/reference/http.md)."""
        files, fields = _form(images, None, None, {})
        return self._json("POST", "explain", files=files, data={**fields, "drawing": drawing})

    # ------------------------------------------------------------------ what there is

    def health(self) -> JsonDict:
        """Raises where the server cannot search."""
        return self._json("GET", "health")

    def index(self) -> JsonDict:
        """What is searched, and what one request may hold."""
        return self._json("GET", "index")

    def facets(self, where: Filter | str | Sequence[str] | None = None) -> JsonDict:
        """Classes, years and kinds of the patents that a filter leaves."""
        return self._json("GET", "facets", params={"filter": _texts(where)})

    def patent(self, number: str) -> JsonDict:
        """One patent with all its drawings."""
        return self._json("GET", f"patents/{_quoted(number)}")

    def thumbnail(self, drawing: str) -> bytes:
        """PNG bytes of an indexed drawing."""
        return self._request("GET", f"drawings/{_quoted(drawing)}/thumbnail").content

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    # ------------------------------------------------------------------ the wire

    def _ask(
        self,
        path: str,
        images: Picture | Sequence[Picture],
        k: int,
        where: Filter | str | Sequence[str] | None,
        options: Mapping[str, Any],
        *,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        files, fields = _form(images, k, where, options)
        return self._request("POST", path, files=files, data=fields, params=params)

    def _json(self, method: str, path: str, **what: Any) -> JsonDict:
        return self._read(self._request(method, path, **what))

    def _read(self, response: httpx.Response) -> JsonDict:
        try:
            return cast("JsonDict", response.json())
        except ValueError as error:
            raise _stranger(self.url) from error

    def _request(self, method: str, path: str, **what: Any) -> httpx.Response:
        import httpx

        for attempt in range(1, _TRIES + 1):
            try:
                response = self._http.request(method, path, **what)
            except httpx.TransportError as error:
                raise BackendError(
                    f"The server {self.url} does not answer: {error or type(error).__name__}.",
                    hint="Check the address, and whether patsearch serve is running.",
                ) from error
            if response.status_code != 503 or attempt == _TRIES:
                break
            wait = response.headers.get("retry-after", "1")
            time.sleep(min(_LONGEST_WAIT, float(wait) if wait.isdigit() else 1.0))
        if response.is_success:
            return response
        raise _raised(response, self.url)


def patent_hit(hit: JsonDict) -> PatentHit:
    """A hit of the API or of `patsearch query --json` as the value that it was made from.

    What the JSON leaves out (a drawing's box, turn and source) has its default.
    """
    classes = tuple(ClassCode(scheme, code) for scheme in SCHEMES for code in hit["classes"].get(scheme, ()))
    found = tuple(
        Hit(
            Drawing(
                id=drawing["id"],
                patent=hit["patent"],
                sheet=drawing["sheet"],
                figure=drawing["figure"],
                view=drawing["view"],
                front_page=drawing["front_page"],
                title=hit["title"],
                kind=hit["kind"],
                granted=date.fromisoformat(hit["granted"]) if hit["granted"] else None,
                filed=date.fromisoformat(hit["filed"]) if hit["filed"] else None,
                classes=classes,
            ),
            drawing["score"],
        )
        for drawing in hit["drawings"]
    )
    return PatentHit(rank=hit["rank"], patent=hit["patent"], score=hit["score"], drawings=found)


def _form(
    images: Picture | Sequence[Picture],
    k: int | None,
    where: Filter | str | Sequence[str] | None,
    options: Mapping[str, Any],
) -> tuple[list[tuple[str, tuple[str, bytes]]], dict[str, Any]]:
    """Files and fields of a search's form."""
    pictures = list(images) if isinstance(images, list | tuple) else [images]
    files = [("image", _file(picture, place)) for place, picture in enumerate(pictures)]
    fields: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if k is not None:
        fields["top"] = str(k)
    if texts := _texts(where):
        fields["filter"] = texts
    return files, {name: _field(value) for name, value in fields.items()}


def _field(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return [str(part) for part in value] if isinstance(value, list | tuple) else str(value)


def _file(picture: Any, place: int) -> tuple[str, bytes]:
    if isinstance(picture, bytes):
        return f"picture {place + 1}", picture
    if isinstance(picture, str | Path):
        try:
            return Path(picture).name, Path(picture).read_bytes()
        except OSError as error:
            raise errors.ImageError(f"{picture} cannot be read: {error.strerror}.") from error
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return f"picture {place + 1}.png", buffer.getvalue()


def _texts(where: Filter | str | Sequence[str] | None) -> list[str]:
    if where is None:
        return []
    if isinstance(where, Filter):
        return [condition.text for condition in where.conditions]
    return [where] if isinstance(where, str) else list(where)


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")


def _raised(response: httpx.Response, url: str) -> PatsearchError:
    """The server's error as the class that it was there."""
    try:
        problem = response.json()["error"]
        kind, message, hint = str(problem["kind"]), str(problem["message"]), problem["hint"]
    except (ValueError, KeyError, TypeError):
        return _stranger(url)
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, PatsearchError):
        return known(message, hint=hint)
    if kind == "TokenMissing":
        return UsageError(message, hint="Give the server's token: --token, or PATSEARCH_TOKEN.")
    return (UsageError if response.status_code in (400, 422) else BackendError)(message, hint=hint)


def _stranger(url: str) -> BackendError:
    return BackendError(f"What answers at {url} is no patsearch server.", hint="Check the address.")
