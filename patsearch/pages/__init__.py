"""Pages that are one HTML file each: Jinja2 templates with autoescape, one stylesheet, no script, no request.

Every page extends `base.html`, whose policy forbids scripts, requests and frames. Every value is escaped;
a name that a template does not find is an error.
"""

from __future__ import annotations

import math
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from patsearch.text import visible

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: object) -> str:
    """A template of this package filled with values."""
    return _environment().get_template(template).render(values)


def fragment(template: str, **values: object) -> Markup:
    """The same for a part of a page: another template does not escape it again."""
    from markupsafe import Markup

    return Markup(render(template, **values))  # noqa: S704 - autoescape is on


def number(value: float) -> str:
    """Three decimals, a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def png_uri(png: bytes) -> str:
    """A PNG as the address of an image."""
    return f"data:image/png;base64,{b64encode(png).decode('ascii')}"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Control characters of a text could turn the direction of what follows it.
        finalize=lambda value: visible(value, keep="\n\t") if type(value) is str else value,
    )
    environment.filters |= {"png": png_uri, "number": number}
    return environment
