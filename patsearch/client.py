"""A client of `patsearch serve`: the same calls as on an index in a folder, over HTTP.

import patsearch

with patsearch.connect("http://127.0.0.1:8765") as server:
    for hit in server.search(Image.open("drawing.png"), k=20, where="uspc=D14"):
        print(hit.rank, hit.patent, hit.score, hit.title)
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from patsearch import errors
from patsearch.errors import BackendError, PatsearchError, PluginError, TimedOut, UsageError
from patsearch.filters import Filter, as_filter
from patsearch.types import Closing, JsonDict, PatentHit

if TYPE_CHECKING:
    import httpx

    from patsearch.engine import Picture, PictureSource, Question, Results
    from patsearch.record import Cover

    Asked = Question | PictureSource | Sequence[PictureSource]

_API = "/api/v1"
_TRIES = 5
_LONGEST_WAIT = 10.0  # seconds
# Of one answer; the largest record that the server writes is smaller.
_MOST_BYTES = 64 << 20
# That a connection takes at once; while it does so, nobody looks at the clock.
_PIECE_BYTES = 1 << 16
# Of a server's message.
_LONGEST_TEXT = 2000
# Fields of the form that are not a question's.
_FORM_ALONE = ("offset", "turn", "view", "drawing", "docket", "title", "searcher", "notes")


def connect(url: str, *, token: str | None = None, timeout: float = 60.0) -> Client:
    """A client of the server at an address such as `http://127.0.0.1:8765`.

    Args:
        token: the server's token, where it has one.
        timeout: seconds that an answer may take.

    Raises:
        UsageError: the address does not begin with http:// or https://.
        PluginError: httpx is not installed.
    """
    return Client(url, token=token, timeout=timeout)


class Client(Closing):
    """Use `connect`. A context manager; one client may be used from several threads."""

    def __init__(
        self, url: str, *, token: str | None = None, timeout: float = 60.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        try:
            import httpx
        except ImportError as error:
            raise PluginError(
                "Searching on a server needs a package that is not installed: httpx.",
                hint="Run: pip install 'patsearch[client]'.",
            ) from error
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"Invalid server address {url!r}: expected http://HOST:PORT.")
        headers = {"accept-encoding": "identity", **({"authorization": f"Bearer {token}"} if token else {})}
        self.url = url.rstrip("/")
        self._clock = _Clock(timeout)
        try:
            self._http = httpx.Client(base_url=self.url + _API, headers=headers, timeout=timeout, transport=transport)
        except (httpx.InvalidURL, ValueError) as error:
            raise UsageError(f"Invalid server address {url!r}: {error}.", hint="Expected http://HOST:PORT.") from error

    # ------------------------------------------------------------------ searching

    def search(self, asked: Asked = (), **options: Any) -> Results:
        """The patents whose drawings look most like the pictures, best first; as `Engine.search`.

        Args:
            asked: a question; or one picture, or several that together are one query.
            options: with pictures, the fields of `Question` by name, and `k`, the number of results, 10 by default.
                `offset` leaves out the first results: the next page.

        Raises:
            PatsearchError: what the server's own functions raise, as the same classes.
            BackendError: the server does not answer, or is not a patsearch server.
        """
        from patsearch.engine import Results

        return Results(self.hits(self.record(asked, **options)), self.thumbnail)

    def record(self, asked: Asked = (), **options: Any) -> JsonDict:
        """Like `search`, as the search record that `patsearch query --json` prints."""
        record = self._read(self._ask("search", asked, options))
        warnings = record.get("warnings", [])
        if not isinstance(warnings, list) or not all(isinstance(text, str) for text in warnings):
            raise _stranger(self.url)
        return record

    def report(
        self, asked: Asked = (), *, kind: Literal["html", "pdf"] = "html", cover: Cover | None = None, **options: Any
    ) -> bytes:
        """The search record as a file; `cover` is what is written on it."""
        written = {name: text for name, text in asdict(cover).items() if text} if cover else {}
        return self._ask("report", asked, {**options, **written}, params={"format": kind}).content

    def save(self, asked: Asked = (), *, name: str = "search", **options: Any) -> bytes:
        """The search as a file for `rerun` and for `patsearch watch`."""
        return self._ask("records", asked, options, params={"name": name}).content

    def rerun(self, saved: bytes) -> JsonDict:
        """Repeat a saved search: a search record with `new`, and `record`, which replaces the saved search."""
        return self._json("POST", "records/rerun", files=[("record", ("search.json", saved, "application/json"))])

    def explain(self, asked: Asked, drawing: str) -> JsonDict:
        """Which regions of the pictures and of an indexed drawing agree most (docs/reference/http.md)."""
        return self._read(self._ask("explain", asked, {"drawing": drawing}))

    def figures(self, asked: Asked, **options: Any) -> JsonDict:
        """What is found in pictures and documents (docs/reference/http.md)."""
        return self._read(self._ask("figures", asked, options))

    # ------------------------------------------------------------------ the index and the server

    def health(self) -> JsonDict:
        """Raises BackendError where the server cannot search."""
        return self._json("GET", "health")

    def index(self) -> JsonDict:
        """What the index is, and the limits of one request."""
        return self._json("GET", "index")

    def facets(self, where: Filter | str | Sequence[str] | None = None) -> JsonDict:
        """Classes, years, kinds, owners and countries of the patents that a filter selects."""
        return self._json(
            "GET", "facets", params={"filter": [condition.text for condition in as_filter(where).conditions]}
        )

    def patent(self, number: str) -> JsonDict:
        """One patent with all its drawings."""
        return self._json("GET", f"patents/{_quoted(number)}")

    def thumbnail(self, drawing: str) -> bytes:
        """PNG bytes of an indexed drawing."""
        return self._request("GET", f"drawings/{_quoted(drawing)}/thumbnail").content

    def close(self) -> None:
        self._http.close()

    # ------------------------------------------------------------------ requests

    def _ask(
        self, path: str, asked: Asked, options: dict[str, Any], *, params: Mapping[str, str] | None = None
    ) -> httpx.Response:
        from patsearch.engine import Question

        extra = {name: str(options.pop(name)) for name in _FORM_ALONE if name in options}
        question = Question.of(asked, **options)
        files = [("image", (picture.name, _data(picture))) for picture in question.pictures]
        return self._request("POST", path, files=files, data={**question.form(), **extra}, params=params)

    def hits(self, record: JsonDict) -> list[PatentHit]:
        """The hits of a search record, read back.

        Raises:
            BackendError: what answered is not a patsearch server.
        """
        from pydantic import ValidationError

        from patsearch.engine.wire import HitAnswer

        try:
            return [HitAnswer.model_validate(hit).hit() for hit in record["hits"]]
        except (ValidationError, KeyError, TypeError, ValueError) as error:
            raise _stranger(self.url) from error

    def _json(self, method: str, path: str, **what: Any) -> JsonDict:
        return self._read(self._request(method, path, **what))

    def _read(self, response: httpx.Response) -> JsonDict:
        try:
            answer = response.json()
        except (ValueError, RecursionError) as error:
            raise _stranger(self.url) from error
        if not isinstance(answer, dict):
            raise _stranger(self.url)
        return cast("JsonDict", answer)

    def _request(self, method: str, path: str, **what: Any) -> httpx.Response:
        import httpx

        for attempt in range(1, _TRIES + 1):
            try:
                response = self._received(method, path, **what)
            except (httpx.TransportError, httpx.InvalidURL) as error:
                raise BackendError(
                    f"The server {self.url} does not answer: {error or type(error).__name__}.",
                    hint="Check the address, and that patsearch serve is running.",
                ) from error
            if response.is_success:
                return response
            problem = _raised(response, self.url)
            # What took too long once does so again.
            if response.status_code != 503 or isinstance(problem, TimedOut) or attempt == _TRIES:
                raise problem
            wait = response.headers.get("retry-after", "1")
            time.sleep(min(_LONGEST_WAIT, float(wait) if wait.isascii() and wait.isdigit() else 1.0))
        raise AssertionError("the last try returns or raises")

    def _received(self, method: str, path: str, **what: Any) -> httpx.Response:
        """The answer with its body, within the limits of size and time."""
        import httpx

        self._clock.start()
        body = bytearray()
        with self._http.stream(method, path, extensions={"trace": self._clock.watch}, **what) as response:
            if "content-encoding" in response.headers:  # nobody requested it: a small answer may become a huge one
                raise _stranger(self.url)
            for part in response.iter_bytes():
                body += part
                if len(body) > _MOST_BYTES:
                    raise BackendError(
                        f"The answer of {self.url} is larger than {_MOST_BYTES >> 20} MiB.", hint="Check the address."
                    )
                self._clock.left()
        headers = [(name, value) for name, value in response.headers.raw if name.lower() == b"retry-after"]
        return httpx.Response(response.status_code, headers=headers, content=bytes(body))


class _Clock(threading.local):
    """The time of one request of a thread: a server could send a header a letter at a time, and HTTP's own time limits
    are those of each letter.

    Args:
        seconds: in which a request must be sent and answered.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0

    def start(self) -> None:
        """Of a request."""
        self._until = time.monotonic() + self._seconds

    def left(self) -> float:
        """Seconds.

        Raises:
            httpx.ReadTimeout: none are.
        """
        import httpx

        left = self._until - time.monotonic()
        if left <= 0:
            raise httpx.ReadTimeout(f"the answer took longer than {self._seconds:g} seconds")
        return left

    def watch(self, event: str, facts: Mapping[str, Any]) -> None:
        """What httpcore calls: of each new connection, bound every read and write by the time that is left."""
        if not event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            return
        stream = facts["return_value"]
        read, write = stream.read, stream.write

        def read_in_time(most: int, timeout: float | None = None) -> bytes:
            data: bytes = read(most, min(self.left(), timeout or self._seconds))
            return data

        def write_in_time(data: bytes, timeout: float | None = None) -> None:
            for start in range(0, len(data), _PIECE_BYTES):
                write(data[start : start + _PIECE_BYTES], min(self.left(), timeout or self._seconds))

        stream.read, stream.write = read_in_time, write_in_time


def _data(picture: Picture) -> bytes:
    """The bytes of an image file."""
    source = picture.source
    if isinstance(source, bytes):
        return source
    if isinstance(source, Path):
        try:
            return source.read_bytes()
        except OSError as error:
            raise errors.ImageError(f"{source} cannot be read: {error.strerror}.") from error
    buffer = io.BytesIO()
    source.save(buffer, "PNG")
    return buffer.getvalue()


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")


def _raised(response: httpx.Response, url: str) -> PatsearchError:
    """The server's error, as the class that it had there."""
    try:
        problem = response.json()["error"]
        kind, message, hint = (str(problem[name] or "")[:_LONGEST_TEXT] for name in ("kind", "message", "hint"))
    except (ValueError, KeyError, TypeError, RecursionError):
        return _stranger(url)
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, PatsearchError):
        return known(message, hint=hint or None)
    if kind == "TokenMissing":
        return UsageError(message, hint="Give the server's token: --token, or PATSEARCH_TOKEN.")
    return (UsageError if response.status_code in (400, 422) else BackendError)(message, hint=hint or None)


def _stranger(url: str) -> BackendError:
    return BackendError(f"{url} is not a patsearch server.", hint="Check the address.")
