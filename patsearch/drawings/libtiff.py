"""What Pillow's libtiff says while it decodes; of most damage it says a line, and returns a picture all the same."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from PIL import _imaging

_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
_LONGEST = 500  # bytes of a message
_heard = threading.local()


@contextmanager
def listening() -> Iterator[list[str] | None]:
    """The messages of libtiff in this thread, as "Fax4Decode: Bad code word at line 3 of strip 0 (x 1)".

    They are not printed then. None where libtiff cannot be reached: where it is not a library by itself, as in
    Pillow's packages for Windows.
    """
    before = getattr(_heard, "messages", None)
    messages: list[str] | None = [] if _connect() else None
    _heard.messages = messages
    try:
        yield messages
    finally:
        _heard.messages = before


@lru_cache(maxsize=1)
def _connect() -> tuple[Any, ...]:
    """The handlers, which have to stay alive; none where there is no libtiff to set them in."""
    # With the GIL, as PyOS_vsnprintf is called from within a callback.
    write = ctypes.pythonapi.PyOS_vsnprintf
    write.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p]
    handlers: list[Any] = []
    try:
        # Symbols are also looked for in what a library is linked to.
        library = ctypes.CDLL(_imaging.__file__)
        setters = [library.TIFFSetErrorHandler, library.TIFFSetWarningHandler]
    except (OSError, AttributeError, TypeError):
        return ()
    for setter in setters:
        setter.restype, setter.argtypes = ctypes.c_void_p, [_HANDLER]
        previous: list[Any] = []

        def handle(module: bytes | None, text: bytes, values: int | None, previous: list[Any] = previous) -> None:
            messages: list[str] | None = getattr(_heard, "messages", None)
            if messages is None:
                for earlier in previous:  # not ours to hear
                    earlier(module, text, values)
                return
            line = ctypes.create_string_buffer(_LONGEST)
            write(line, _LONGEST, text, values)
            messages.append(f"{(module or b'').decode('latin-1')}: {line.value.decode('latin-1')}")

        handlers.append(_HANDLER(handle))
        address = setter(handlers[-1])
        if address:
            previous.append(_HANDLER(address))
    return tuple(handlers)
