"""What the tests of the server share."""

from __future__ import annotations

import io

from PIL import Image

HOSTILE_TITLE = "<script>alert(1)</script> \"quoted\" & 'odd'"
TOKEN = "a-token-of-the-tests-0123456789"


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
