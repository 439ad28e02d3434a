"""What the tests of the server share."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from PIL import Image
from waiting import wait_until

from patsearch.web.app import create_app
from patsearch.web.connection import Connection
from patsearch.web.settings import ServerSettings

HOSTILE_TITLE = "<script>alert(1)</script> \"quoted\" & 'odd'"
TOKEN = "a-token-of-the-tests-0123456789"


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@contextmanager
def served(settings: ServerSettings, protocol: type[Connection] = Connection) -> Iterator[tuple[str, int]]:
    """The application over a real socket of this process."""
    config = uvicorn.Config(
        create_app(settings), http=protocol, host="127.0.0.1", port=0, log_config=None, access_log=False, ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive())
        assert server.started
        yield server.servers[0].sockets[0].getsockname()
    finally:
        server.should_exit = True
        thread.join()
