"""Make the shipped encoder, or one like it: corpora, training, weights of both networks, export, 8 bits, scores, card.

    npm pack @iconify/json && tar xzf iconify-json-*.tgz
    python tools/make_encoder.py --shapes ../shapes --icons package --out made
    python tools/make_encoder.py --shapes ../shapes --icons package --out made --finished
    python tools/make_encoder.py --shapes ../shapes --icons package --out made --patents DIR --sketches DIR
    python tools/make_encoder.py --small --out made

`tools/encoder.toml` says what is made. Every step leaves its result in a folder under --out; a finished step is
skipped, an interrupted one resumes. The encoder ends up in OUT/encoder, in 8 bits, with a card that holds its scores
on the sets given, next to those of the untrained baseline; OUT/float has it in float32.

--finished takes the weights that runs left in tools/checkpoints, and trains nothing.

--small makes a useless encoder of a handful of synthetic designs in a minute, to see that every step works.

Needs the `synth`, `train` and `dev` extras; run only by developers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patsearch.encoder.card import EncoderCard, Score
from patsearch.encoder.onnx import OnnxEncoder
from patsearch.encoder.preprocess import Preprocessing, densest_windows
from patsearch.training.augment.augmentation import fit
from patsearch.training.data.cache import DrawingCache
from patsearch.training.data.drawings import some_drawings
from patsearch.training.export.quantise import quantise
from workshop.details import Details, Tiles, fit_axes, local_part, whole_part
from workshop.export import export_encoder, pooled_embeddings, read_backbone, write_backbone
from workshop.lite0 import Weights, build_network, read_weights

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SKETCHES = ("chairs", "shoes")
BASELINE = "lite0-imagenet"
TITLE = "Two EfficientNet-Lite0, for whole drawings and for their details, trained on drawings of free 3D shapes"
METRICS = ("map", "map_by_patent", "hit_rate@1", "hit_rate@10")
SMALL_CORPUS = {"designs": 10, "views": 2}
SMALL = 96  # side of a window
SMALL_RUN = (
    "schedule.epochs=",
    "schedule.wall_seconds=",
    "schedule.steps=3",
    f"data.stages=[{{size={SMALL}}}]",
    "batch.designs=4",
    "batch.drawings=2",
)


def call(*words: object) -> str:
    """Run a command and return its stdout; its stderr is shown."""
    text = [str(word) for word in words]
    print("$", " ".join(text), flush=True)
    done = subprocess.run(text, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    if done.returncode not in (0, 9):  # 9: some files could not be read, which the answer says
        raise SystemExit(f"{text[1]} ended with {done.returncode}")
    return done.stdout


def render(plan: Mapping[str, Any], name: str, arguments: argparse.Namespace) -> Path:
    """Draw one corpus; the folder of its cache."""
    folder: Path = arguments.out / "corpora" / name
    settings = dict(plan["corpora"][name])
    tool, source = settings.pop("tool", "shapes"), arguments.shapes
    if tool == "icons" and not arguments.small:
        if not arguments.icons:
            raise SystemExit(f"The corpus {name!r} needs --icons: npm pack @iconify/json && tar xzf iconify-json-*.tgz")
        source = arguments.icons
    elif tool == "icons":
        tool, source = "shapes", ""  # to see that every step works, synthetic designs are as good as icons
    if arguments.small:
        settings |= SMALL_CORPUS | {"size": SMALL}
    words = [word for key, value in settings.items() for word in (f"--{key.replace('_', '-')}", value)]
    given = [f"--{tool}", source] if source else []
    call(sys.executable, HERE / f"render_{tool}.py", "--out", folder, *given, *words)
    return folder


def train(plan: Mapping[str, Any], name: str, caches: Mapping[str, Path], arguments: argparse.Namespace) -> Path:
    """One run; its state."""
    run = plan["runs"][name]
    folder: Path = arguments.out / "runs" / name
    data = [word for corpus in run["corpora"] for word in ("--data", caches[corpus])]
    start = begin(plan, name, arguments.out / "starts" / f"{name}.safetensors")
    changes = [f"network.start={start}", *run.get("set", []), *(SMALL_RUN if arguments.small else ())]
    sets = [word for change in changes for word in ("--set", change)]
    call(sys.executable, "-m", "patsearch", "train", run["recipe"], *data, "--out", folder, "--threads", 1, *sets)
    return folder / "state.safetensors"


def begin(plan: Mapping[str, Any], name: str, path: Path) -> str:
    """What a run starts from: ImageNet's weights, or a file with a mean of finished ones."""
    start = plan["runs"][name]["start"]
    if start == "imagenet":
        return str(start)
    parts = {part: finished(plan["starts"][part]["path"]) for part in start}
    write_backbone(mean(parts, start), path)
    return str(path)


def finished(path: str) -> Weights:
    """Finished weights: a checkpoint of the repository, or ImageNet's."""
    return read_weights() if path == "imagenet" else read_backbone(ROOT / path)


def mean(parts: Mapping[str, Weights], shares: Mapping[str, float]) -> Weights:
    """Weights averaged by shares that sum to 1 (Wortsman et al., Model soups, 2022)."""
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise SystemExit(f"The shares of the mean sum to {sum(shares.values()):g}, not 1.")
    names = next(iter(parts.values())).keys()
    return {n: np.asarray(sum(share * parts[p][n] for p, share in shares.items()), np.float32) for n in names}


def mean_of(plan: Mapping[str, Any], name: str, parts: Mapping[str, Weights]) -> Weights:
    """The weights of one network of the encoder."""
    shares = {part: share for part, share in plan[name].items() if share}
    return mean({part: parts[part] for part in shares}, shares)


def second_look(
    plan: Mapping[str, Any], whole: Weights, windows: Weights, caches: Mapping[str, Path], spec: Preprocessing
) -> Details:
    """How windows add to the vector, and the axes that are kept: those of the windows and drawings of corpora."""
    settings, kept = plan["details"], plan["shape"]
    cut = np.concatenate(
        [
            densest_windows(drawing, 1, spec.smaller.size)
            for drawing in drawings_of(caches, settings["corpus"], settings)
        ]
    )
    vectors = pooled_embeddings(build_network(windows), cut)[:, np.newaxis]  # (N, 1, C)
    axes = fit_axes(local_part(vectors, Tiles.of_windows(cut[:, np.newaxis])), min(settings["dim"], len(cut)))
    shares, network = tuple(settings["shares"]), build_network(whole, power=kept["power"])
    drawn = [drawing for corpus in kept["corpora"] for drawing in drawings_of(caches, corpus, kept)]
    copies = [
        pooled_embeddings(network, (fit(drawing, min(side.size, len(drawing))) for drawing in drawn))
        for side in (spec.whole, spec.smaller)
    ]
    whole_parts = whole_part(np.stack(copies, axis=1), shares)
    shape_axes = fit_axes(whole_parts, min(kept["dim"], len(drawn)), kept["flattened"])
    return Details(settings["weight"], shares, axes, weights=windows, shape_axes=shape_axes)


def drawings_of(caches: Mapping[str, Path], corpus: str, settings: Mapping[str, Any]) -> list[NDArray[np.uint8]]:
    """At most `drawings` drawings of a corpus, in the order of the cache."""
    cache = DrawingCache(caches[corpus])
    places = [(design, i) for design, record in enumerate(cache.records) for i in range(len(record.kinds))]
    chosen = np.random.default_rng(0).permutation(len(places))[: settings["drawings"]]
    return [cache.drawing(*places[at]) for at in sorted(chosen.tolist())]


def patent_scores(encoder: str, arguments: argparse.Namespace) -> dict[str, list[Score]]:
    """Scores on patents, of the encoder and of the untrained baseline in the same run, by encoder."""
    words = ["--filter", arguments.filter, "--figures", "--no-front-pages", "--no-engines", "--json"]
    if arguments.distractors:
        words += ["--distractors", arguments.distractors]
    bench = [sys.executable, "-m", "patsearch", "bench", "--dataset", arguments.patents, *words]
    answer = json.loads(call(*bench, "--encoder", encoder))
    dataset = answer["dataset"]
    name = f"{dataset['patents']} patents of {dataset['name']}, {dataset['judged_queries']} figures, leave-one-out"
    if dataset["distractors"]:
        name += f", among {dataset['distractors']} other figures"
    among = ["--distractors", Path(arguments.distractors).name] if arguments.distractors else []
    command = " ".join(["patsearch bench --dataset", dataset["name"], *words[:5], *among])
    scores: dict[str, list[Score]] = {}
    for evaluation in answer["evaluations"]:
        measured = BASELINE if evaluation["baseline"] else encoder
        how = f"{name}, {'by shape' if evaluation['asking']['shape'] else 'with the drawing style'}"
        scores.setdefault(measured, []).extend(
            Score(how, metric, round(evaluation["metrics"][metric], 4), command) for metric in METRICS
        )
    return scores


def sketch_scores(encoder: str, folder: str) -> list[Score]:
    """Scores on pairs of a sketch and an edge map."""
    scores = []
    for chosen in SKETCHES:
        bench = ["patsearch", "bench", "--dataset", f"sketches:{folder}?set={chosen}", "--encoder", encoder]
        answer = json.loads(call(sys.executable, "-m", *bench, "--no-engines", "--no-baseline", "--json"))
        command = f"patsearch bench --dataset sketches:DIR?set={chosen} --no-engines"
        scores += [
            Score(f"Sketch Me That Shoe, {chosen}", metric, round(answer["metrics"][metric], 4), command)
            for metric in ("hit_rate@1", "hit_rate@10")
        ]
    return scores


def describe(plan: Mapping[str, Any], caches: Mapping[str, Path]) -> str:
    """What the encoder was trained on, in a few sentences."""
    texts = []
    for network, title in (("whole", "For whole drawings"), ("windows", "For their windows")):
        used = [name for name, share in plan[network].items() if share]
        corpora = {corpus for name in used if name in plan["runs"] for corpus in plan["runs"][name]["corpora"]}
        known = [plan["starts"][name]["trained_on"] for name in used if name in plan["starts"]]
        texts += [f"{title}: {text}." for text in (*known, *(_count(caches[corpus]) for corpus in sorted(corpora)))]
    texts.append("No patent drawing and no human sketch.")
    return " ".join(texts)


def _count(folder: Path) -> str:
    records = DrawingCache(folder).records
    synthetic = sum(record.group.startswith("synth:") for record in records)
    drawings = sum(len(record.kinds) for record in records)
    return (
        f"{drawings:,} drawings of {len(records):,} designs, {len(records) - synthetic:,} free 3D shapes "
        f"(docs/shape-attributions.csv.gz, NOTICE) and {synthetic:,} synthetic objects, less those held out for "
        "validation"
    )


def finish(
    plan: Mapping[str, Any], parts: Mapping[str, Weights], caches: Mapping[str, Path], arguments: argparse.Namespace
) -> Path:
    """Export, measure, and write the card; the encoder's file."""
    whole, windows = mean_of(plan, "whole", parts), mean_of(plan, "windows", parts)
    spec = Preprocessing(**plan["preprocessing"] | ({"size": 224} if arguments.small else {}))
    details = second_look(plan, whole, windows, caches, spec)
    card = EncoderCard(
        name=plan["name"],
        title=TITLE,
        dim=0,
        preprocessing=spec,
        sha256="",
        trained_on=describe(plan, caches),
        licence="Apache-2.0",
        notes=plan.get("notes", ""),
    )
    exact = arguments.out / "float" / f"{card.name}.onnx"
    network = build_network(whole, power=plan["shape"]["power"])
    card = export_encoder(network, card, exact.parent, details=details, half=True)
    count = 8 if arguments.small else plan["bytes"]["drawings"]
    drawn = some_drawings([], spec, 2 * count)
    written = quantise(
        OnnxEncoder(exact, card), arguments.out / "encoder", card.name, calibration=drawn[:count], check=drawn[count:]
    )
    path, card = written.path, written.card
    found = patent_scores(f"onnx:{path}", arguments) if arguments.patents else {}
    scores, baseline = (list(found.get(key, [])) for key in (f"onnx:{path}", BASELINE))
    if arguments.sketches:
        scores += sketch_scores(f"onnx:{path}", arguments.sketches)
        baseline += sketch_scores(BASELINE, arguments.sketches)
    compared = "; ".join(f"{score.dataset}: {score.metric} {score.value:.3f}" for score in baseline)
    notes = " ".join(filter(None, [compared and f"For comparison, the untrained {BASELINE}: {compared}.", card.notes]))
    card = replace(card, scores=tuple(scores), notes=notes)
    card.save(path.with_suffix(".json"))
    return path


def main() -> None:
    """Run the steps that are still missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", type=Path, default=HERE / "encoder.toml", help="what to make")
    parser.add_argument("--shapes", default="", help="folder of the shape pack; without it, synthetic families alone")
    parser.add_argument("--icons", default="", help="folder of the unpacked @iconify/json")
    parser.add_argument("--finished", action="store_true", help="take finished weights of runs, train nothing")
    parser.add_argument("--out", type=Path, required=True, help="folder of everything that is made")
    parser.add_argument("--small", action="store_true", help="a useless encoder in a minute")
    parser.add_argument("--patents", help="patents to measure on, as `patsearch bench --dataset`")
    parser.add_argument("--distractors", help="drawings that join the gallery")
    parser.add_argument("--filter", default="kind=S1", help="which of the patents are queries")
    parser.add_argument("--sketches", help="folder of Sketch Me That Shoe")
    arguments = parser.parse_args()
    arguments.out = arguments.out.absolute()
    plan = tomllib.loads(arguments.plan.read_text(encoding="utf-8"))
    used = {name for network in ("whole", "windows") for name, share in plan[network].items() if share}
    runs = [name for name in plan["runs"] if name in used]
    trained = [] if arguments.finished else runs
    needed = {corpus for name in trained for corpus in plan["runs"][name]["corpora"]}
    caches = {
        name: render(plan, name, arguments)
        for name in sorted(needed | {plan["details"]["corpus"], *plan["shape"]["corpora"]})
    }
    states: dict[str, Path] = {
        name: train(plan, name, caches, arguments) if name in trained else ROOT / plan["runs"][name]["finished"]
        for name in runs
    }
    parts = {name: read_backbone(path) for name, path in states.items()}
    parts |= {name: finished(start["path"]) for name, start in plan["starts"].items() if name in used}
    path = finish(plan, parts, caches, arguments)
    print(f"{path}: {EncoderCard.load(path.with_suffix('.json')).sha256}")


if __name__ == "__main__":
    main()
