"""Encoders run by torch: any timm model, and checkpoints. Needs the `train` extra.

A checkpoint is a folder of three files, none of which can hold code:

    weights.safetensors    the state of the network
    config.json            what `NetworkConfig` holds: how to build the network
    card.json              the encoder's card
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from patsearch.encoder.base import ArrayEncoder, Embeddings
from patsearch.encoder.card import EncoderCard, fingerprint
from patsearch.encoder.preprocess import Preprocessing
from patsearch.encoder.torch_network import POOLINGS, Network, NetworkConfig, state_bytes
from patsearch.encoder.torchvision_schemas import import_timm
from patsearch.errors import EncoderError
from patsearch.files import at_home

WEIGHTS, CONFIG, CARD = "weights.safetensors", "config.json", "card.json"


class TorchEncoder(ArrayEncoder):
    """A network run by torch.

    Args:
        network: as `Network` gives it; it is put into evaluation mode and moved.
        card: the encoder's card.
        device: "cpu", "cuda", ...; None for a GPU where there is one.
        batch: drawings a forward pass.
        autocast: run in bfloat16 where torch thinks it safe; vectors differ in the third digit.
        threads: CPU threads of this process, None to leave them as they are.
    """

    def __init__(
        self,
        network: Network,
        card: EncoderCard,
        *,
        device: str | None = None,
        batch: int = 32,
        autocast: bool = False,
        threads: int | None = None,
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.card = card
        self.preprocessing = card.preprocessing
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.network = network.eval().to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stub knows no keyword pair
        self._batch = batch
        self._autocast = autocast

    @torch.inference_mode()
    def encode_arrays(self, arrays: NDArray[np.uint8]) -> Embeddings:
        embeddings = np.empty((len(arrays), self.card.dim), dtype=np.float32)
        for start in range(0, len(arrays), self._batch):
            drawings = torch.from_numpy(np.ascontiguousarray(arrays[start : start + self._batch])).to(self.device)
            with torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16, enabled=self._autocast):
                raw = self.network.embed(drawings)
            unit = torch.nn.functional.normalize(raw.float(), dim=1)
            embeddings[start : start + self._batch] = unit.cpu().numpy()
        return embeddings


def load_timm(argument: str, *, threads: int | None = None) -> TorchEncoder:
    """The encoder `timm:MODEL`, or `timm:MODEL?pretrained=false&size=224&pooling=gem`.

    Args:
        argument: a timm model, and options: `pretrained` (true), `size` (256, or the model's own where it
            takes no other), `pooling` (native, average, gem).
        threads: CPU threads of this process, None to leave them as they are.

    Raises:
        EncoderError: no such model or option, or the weights cannot be loaded.
    """
    architecture, _, query = argument.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(options.keys() - {"pretrained", "size", "pooling"}):
        raise EncoderError(
            f"timm:{argument} has unknown options: {', '.join(unknown)}.", hint="Known: pretrained, size, pooling."
        )
    pretrained = _choice(argument, options.get("pretrained", "true"), ("true", "false")) == "true"
    pooling = _choice(argument, options.get("pooling", "native"), POOLINGS)
    facts = pretrained_facts(architecture)
    config = NetworkConfig(
        architecture,
        pooling=pooling,
        mean=tuple(facts.get("mean", (0.5,) * 3)),
        std=tuple(facts.get("std", (0.5,) * 3)),
    )
    own_size = facts["input_size"][1] if facts.get("fixed_input_size") else None
    preprocessing = Preprocessing(size=_size(argument, options.get("size"), own_size))
    network = Network(config, pretrained=pretrained)
    card = EncoderCard(
        name=f"timm:{argument}",
        title=f"{architecture} of timm, {'pretrained' if pretrained else 'random weights'}",
        dim=network.embedding_dim,
        preprocessing=preprocessing,
        sha256=fingerprint(state_bytes(network), preprocessing),
        trained_on=f"See timm's card of {facts.get('hf_hub_id') or architecture}." if pretrained else "Nothing.",
        licence=str(facts.get("license") or ""),
        baseline=True,
        notes="Never trained on drawings.",
    )
    return TorchEncoder(network, card, threads=threads)


def load_checkpoint(argument: str, *, threads: int | None = None) -> TorchEncoder:
    """The encoder `checkpoint:DIR`.

    Raises:
        EncoderError: a file is missing or malformed, or they do not belong together.
    """
    folder = at_home(argument).absolute()
    missing = [name for name in (WEIGHTS, CONFIG, CARD) if not (folder / name).is_file()]
    if missing:
        raise EncoderError(
            f"{folder} is not a checkpoint: it lacks {', '.join(missing)}.",
            hint=f"A checkpoint is a folder with {WEIGHTS}, {CONFIG} and {CARD}.",
        )
    card = EncoderCard.load(folder / CARD)
    network = Network(NetworkConfig.load(folder / CONFIG))
    try:
        network.load_state_dict(load_file(folder / WEIGHTS), strict=True)
    except (SafetensorError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise EncoderError(f"The weights {folder / WEIGHTS} do not fit the network: {reason}.") from error
    if network.embedding_dim != card.dim or fingerprint(state_bytes(network), card.preprocessing) != card.sha256:
        raise EncoderError(
            f"The weights in {folder} are not those that its card describes: the fingerprints differ.",
            hint="Weights or preprocessing were changed after the checkpoint was saved.",
        )
    return TorchEncoder(network, replace(card, name=f"checkpoint:{folder}"), threads=threads)


def save_checkpoint(folder: Path, network: Network, card: EncoderCard) -> EncoderCard:
    """Write a checkpoint folder; returns the card with dimension and fingerprint filled in."""
    folder.mkdir(parents=True, exist_ok=True)
    card = replace(card, dim=network.embedding_dim, sha256=fingerprint(state_bytes(network), card.preprocessing))
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    network.config.save(folder / CONFIG)
    card.save(folder / CARD)
    return card


def pretrained_facts(architecture: str) -> dict[str, Any]:
    """What timm knows about the weights of a model: mean, std, size, licence; empty for an unknown one."""
    facts = import_timm().get_pretrained_cfg(architecture, allow_unregistered=True)
    return facts.to_dict() if facts is not None else {}


def _choice(argument: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise EncoderError(f"timm:{argument}: {value!r} is not one of {', '.join(choices)}.")
    return value


def _size(argument: str, value: str | None, own: int | None) -> int:
    if value is None:
        return own or Preprocessing().size
    if not value.isascii() or not value.isdigit():
        raise EncoderError(f"timm:{argument}: the size must be a number of pixels, not {value!r}.")
    if own is not None and int(value) != own:
        raise EncoderError(f"timm:{argument}: this model takes {own} pixels and no other size.")
    return int(value)
