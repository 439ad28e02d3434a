"""What a run keeps on disk: the whole state, to resume exactly, and checkpoints to search with.

A state is one safetensors file: weights, averaged weights, the loss's own weights, the optimiser's moments; its
metadata says the rest. Both a state and a checkpoint folder are replaced as a whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from patsearch.encoder.card import EncoderCard
from patsearch.encoder.torch import save_checkpoint
from patsearch.encoder.torch_network import Network
from patsearch.errors import InputError
from patsearch.files import replacing


def write_state(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a state; whoever reads the path sees the old one or the new, also after a power cut.

    Args:
        metadata: by name, anything that JSON can hold.
    """
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as part:
        save_file(kept, part, {name: json.dumps(value) for name, value in metadata.items()})


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a state.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = {name: json.loads(value) for name, value in (file.metadata() or {}).items()}
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118  (no mapping)
    except (OSError, SafetensorError, ValueError) as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: Exception) -> InputError:
    """The error for a state that cannot be used."""
    reason = " ".join(str(error).split())[:200]
    return InputError(
        f"The training state {path} cannot be used: {reason}.", hint="Start a new run in another folder, with --out."
    )


def pack_optimiser(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The moments by "number of the weight.name"."""
    state: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    return {
        f"{number}.{name}": torch.as_tensor(value)
        for number, entry in state.items()
        for name, value in entry.items()
        if value is not None
    }


def unpack_optimiser(optimiser: torch.optim.Optimizer, packed: Mapping[str, Tensor]) -> None:
    """Give the moments back.

    Raises:
        ValueError, KeyError: those of other weights.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in packed.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose name begins with a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def write_checkpoint(folder: Path, network: Network, card: EncoderCard, recipe: str) -> EncoderCard:
    """Write a checkpoint folder, recipe included. An old one stays until the new one is complete."""
    part, old = folder.with_name(f"{folder.name}.part"), folder.with_name(f"{folder.name}.old")
    shutil.rmtree(part, ignore_errors=True)
    card = save_checkpoint(part, network, card)
    (part / "recipe.toml").write_text(recipe, encoding="utf-8")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    return card


def mend_checkpoint(folder: Path) -> None:
    """Put the old checkpoint back where a run was killed between taking it away and placing the new one."""
    old = folder.with_name(f"{folder.name}.old")
    if old.exists() and not folder.exists():
        old.rename(folder)
