"""Importing torchvision, and with it timm, where torchvision's compiled operators do not load.

timm cannot be imported without torchvision. The wheel of torchvision on PyPI is built for CUDA; with
a CPU build of torch its library of compiled operators does not load, and `import torchvision` then
fails with "operator torchvision::nms does not exist": it describes operators to torch that nobody has
declared. Declaring their schemas is enough for the import to pass, and timm needs nothing but
torchvision's Python parts.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
# The declarations last as long as this object.
_library: torch.library.Library | None = None


def import_timm() -> ModuleType:
    """The module timm.

    Raises:
        ImportError: timm or torchvision is not installed.
    """
    import_torchvision()
    return import_module("timm")


def import_torchvision() -> ModuleType:
    """The module torchvision, its operators declared where its own library does not load.

    Raises:
        ImportError: torchvision is not installed.
    """
    try:
        return import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    declare_operators()
    # What the failed import left half made must not be found by the next one.
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    return import_module("torchvision")


def declare_operators() -> None:
    """Declare the operators that torchvision describes on import. Once a process."""
    global _library  # noqa: PLW0603  (a declaration belongs to the process)
    if _library is None:
        _library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]  # torch's own gap
        for schema in _SCHEMAS:
            _library.define(schema)  # type: ignore[no-untyped-call]
