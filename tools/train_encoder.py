"""Train EfficientNet-Lite0 on a cache of drawings as the shipped encoder was, and export what came out.

    python tools/render_shapes.py --shapes ../shapes --out cache
    python tools/train_encoder.py train --cache cache --out run
    python tools/train_encoder.py export --state run/state.safetensors --cache cache --name lite0-drawings --out weights

Training is `patsearch train fast --data cache --out run`. Exporting writes the ONNX graph node by node, with
weights between ImageNet's and the trained ones on request.

Needs the `synth`, `train` and `dev` extras; run only by developers.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from patsearch.cli import build_app, fail
from patsearch.encoder.card import EncoderCard, Score
from patsearch.encoder.onnx import OnnxEncoder
from patsearch.encoder.preprocess import Preprocessing
from patsearch.errors import PatsearchError
from patsearch.training.data.cache import DrawingCache
from patsearch.training.data.splits import split_designs
from patsearch.training.recipes import load_recipe
from patsearch.training.validation import validate
from workshop.export import export_encoder, interpolate, read_backbone, slim, whitening_of
from workshop.lite0 import build_network, read_weights

RECIPE = "fast"


def scores(network: Any, cache: DrawingCache, *, size: int, limit: int) -> dict[str, float]:
    """Validation on held-out groups and on held-out families, at most `limit` designs of each."""
    split = split_designs(cache.records, families=load_recipe(RECIPE).data.held_out_families)
    result: dict[str, float] = {}
    for name, chosen in (("groups", split.groups[:limit]), ("families", split.families[:limit])):
        if chosen:
            found = validate(network, cache, chosen, size=size)
            result |= {f"map_{name}": found["map"], f"sketch_{name}": found["sketch_hit@1"]}
    return result


def train(arguments: argparse.Namespace) -> None:
    """Train until the budget is spent, or resume an interrupted run."""
    caches = [text for folder in arguments.cache for text in ("--data", str(folder))]
    changes = [text for change in arguments.set for text in ("--set", change)]
    threads = ["--threads", str(arguments.threads)]
    try:
        build_app()(["train", RECIPE, "--out", str(arguments.out), *caches, *changes, *threads], standalone_mode=False)
    except PatsearchError as error:
        fail(error)


def export(arguments: argparse.Namespace) -> None:
    """Validate at several shares of the way from ImageNet's weights and several sizes, and write one encoder."""
    if arguments.slim is not None:
        slim(arguments.state, arguments.slim)
    start, end = read_weights(), read_backbone(arguments.state, last=arguments.last)
    for share in arguments.compare:
        cache = DrawingCache(*arguments.cache)
        for size in arguments.sizes:
            found = scores(build_network(interpolate(start, end, share)), cache, size=size, limit=arguments.limit)
            print(f"share {share} size {size}: " + " ".join(f"{k} {v:.4f}" for k, v in found.items()), flush=True)
    if arguments.name is None:
        return
    network = build_network(interpolate(start, end, arguments.share))
    card = EncoderCard(
        name=arguments.name,
        title="EfficientNet-Lite0 trained on drawings of free 3D shapes",
        dim=0,
        preprocessing=Preprocessing(size=arguments.size),
        sha256="",
        licence="Apache-2.0",
    )
    if arguments.card is not None:
        given = json.loads(arguments.card.read_text())
        card = replace(card, **{name: given[name] for name in ("title", "trained_on", "notes") if name in given})
        card = replace(card, scores=tuple(Score(**score) for score in given.get("scores", [])))
    card = export_encoder(network, card, arguments.out)
    if arguments.whiten:
        # Once more, with what its own vectors of the training designs teach.
        plain = OnnxEncoder(arguments.out / f"{card.name}.onnx", card)
        cache = DrawingCache(*arguments.cache)
        chosen = split_designs(cache.records, families=load_recipe(RECIPE).data.held_out_families).train
        chosen = chosen[:: max(1, len(chosen) // arguments.whiten_on)]
        whitening = whitening_of(plain, cache, chosen, dim=arguments.whiten, shrinkage=arguments.shrinkage)
        card = export_encoder(network, card, arguments.out, whitening=whitening)
    print(f"{arguments.out / card.name}.onnx, sha256 {card.sha256}")


def main() -> None:
    """Train, or export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    commands = parser.add_subparsers(required=True)
    training = commands.add_parser("train")
    training.set_defaults(run="train")
    training.add_argument("--cache", type=Path, nargs="+", required=True, help="folders of tools/render_shapes.py")
    training.add_argument("--out", type=Path, required=True, help="folder of the run")
    training.add_argument("--set", action="append", default=[], help="change the recipe: schedule.epochs=20")
    exporting = commands.add_parser("export")
    exporting.set_defaults(run="export")
    exporting.add_argument("--state", type=Path, required=True)
    exporting.add_argument("--cache", type=Path, nargs="*", default=[], help="to validate on")
    exporting.add_argument("--compare", type=float, nargs="*", default=[], help="shares to validate")
    exporting.add_argument("--sizes", type=int, nargs="*", default=[128], help="sizes to validate at")
    exporting.add_argument("--limit", type=int, default=160)
    exporting.add_argument("--last", action="store_true", help="the last step's weights, not the averaged ones")
    exporting.add_argument("--slim", type=Path, help="also keep the averaged weights in half precision here")
    exporting.add_argument("--name", help="of the encoder; without it nothing is written")
    exporting.add_argument("--share", type=float, default=1.0, help="of the way from ImageNet's weights")
    exporting.add_argument("--size", type=int, default=256, help="side at which the encoder takes drawings")
    exporting.add_argument("--whiten", type=int, default=0, help="dimensions of a learned whitening; 0 for none")
    exporting.add_argument("--whiten-on", type=int, default=3000, help="designs of the caches to fit it on, about")
    exporting.add_argument("--shrinkage", type=float, default=3.0, help="of the whitening")
    exporting.add_argument("--card", type=Path, help="JSON with title, trained_on, notes and scores for the card")
    exporting.add_argument("--out", type=Path, default=Path(), help="folder to write into")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.run == "train":
        train(arguments)
    else:
        export(arguments)


if __name__ == "__main__":
    main()
