"""The untrained baseline encoder `lite0-imagenet`: its weights, its card, and the folder where patsearch finds both."""

from __future__ import annotations

from pathlib import Path

__all__ = ["WEIGHTS"]

WEIGHTS = Path(__file__).parent
