"""How fast drawings become vectors: ONNX Runtime, OpenVINO and torch, the same network at the same size.

    python bench/encode.py [--seconds 3] [--sizes 224 256 320] [--engines onnxruntime int8 torch] [--json FILE]

Prints figures a second of wall time and of CPU time for each engine, batch and number of threads, the
time to load the encoder in a fresh process, and the time of preprocessing. Each cell is measured in a
separate process, after a warm-up. OpenVINO is measured where it is installed, 8 bits where synthetic drawings to
calibrate on can be drawn (extra `synth`). The engines `shipped` and `torch shipped` are the default encoder as ingest
calls it, with its looks at the whole and at a window, and the same in torch, at its own size. Figures of one run on one
machine compare with each other only.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from patsearch.encoder import ArrayEncoder, load_encoder

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))  # for `workshop`

BATCHES = (1, 8, 32)
THREADS = (1, 2)
ENGINES = (
    "onnxruntime",
    "int8",
    "openvino",
    "openvino int8",
    "torch",
    "torch channels-last",
    "shipped",
    "torch shipped",
)

_LOAD = """
import time
start = time.perf_counter()
import numpy, {module}
imported = time.perf_counter()
from patsearch.encoder import load_encoder
encoder = load_encoder({name!r})
loaded = time.perf_counter()
encoder.encode_batch([numpy.full((256, 256), 255, numpy.uint8)])
print(imported - start, loaded - imported, time.perf_counter() - loaded)
"""


def measure(*, engine: str, size: int, batch: int, threads: int, seconds: float, models: Path) -> dict[str, Any]:
    """Rates of one cell, in this process."""
    if engine == "shipped":
        run = _shipped(threads)
    elif engine == "torch shipped":
        run = _torch_twice(threads)
    elif engine.startswith("torch"):
        run = _torch(engine, threads)
    else:
        path = models / (f"{size}-int8.onnx" if engine.endswith("int8") else f"{size}.onnx")
        run = (_openvino if engine.startswith("openvino") else _onnx)(path, threads)
    drawings = np.random.default_rng(0).integers(0, 256, (batch, size, size), dtype=np.uint8)
    for _ in range(3):
        run(drawings)
    count, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        run(drawings)
        count += batch
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "engine": engine,
        "size": size,
        "batch": batch,
        "threads": threads,
        "per_second": count / wall,
        "per_cpu_second": count / cpu,
        "cpu_ms": 1000 * cpu / count,
    }


def _onnx(path: Path, threads: int) -> Callable[[Any], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda drawings: session.run(None, {"drawings": drawings[:, None]})


def _shipped(threads: int) -> Callable[[Any], Any]:
    encoder = load_encoder(threads=threads)
    if not isinstance(encoder, ArrayEncoder):
        raise SystemExit("The default encoder takes no arrays.")
    return encoder.encode_arrays


def _openvino(path: Path, threads: int) -> Callable[[Any], Any]:
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(str(path), "CPU", settings)
    return lambda drawings: model(drawings[:, None])


def _torch(engine: str, threads: int) -> Callable[[Any], Any]:
    import torch

    from patsearch.encoder.torch_network import Network, NetworkConfig

    torch.set_num_threads(threads)
    # Rates do not depend on the weights, so random ones do.
    network = Network(NetworkConfig("tf_efficientnet_lite0", pooling="gem")).eval()
    layout = torch.channels_last if engine.endswith("channels-last") else torch.contiguous_format
    network = network.to(memory_format=layout)  # type: ignore[call-overload]  # the stub knows no lone keyword

    def run(drawings: Any) -> Any:
        with torch.inference_mode():
            grey = (torch.from_numpy(drawings)[:, None].float() / 255 - 0.5) / 0.5
            pooled = network.pooled(grey.expand(-1, 3, -1, -1).contiguous(memory_format=layout))
            return torch.nn.functional.normalize(pooled, dim=1).numpy()

    return run


def _torch_twice(threads: int) -> Callable[[Any], Any]:
    """What the graph of the default encoder computes, in torch and numpy."""
    import torch

    from workshop.details import Details
    from workshop.export import looks
    from workshop.lite0 import FEATURES, build_network

    torch.set_num_threads(threads)
    spec = load_encoder().card.preprocessing
    whole, windows = build_network(None), build_network(None)
    details = Details(0.7, (1.0, 0.6), np.eye(FEATURES, 255, dtype=np.float32))
    return lambda drawings: details.join(*looks(whole, windows, drawings, spec))


def loading() -> dict[str, Any]:
    """Seconds to import ONNX Runtime, load the shipped encoder and encode a first drawing, best of five."""
    script = _LOAD.format(module="onnxruntime", name=None)
    runs = [
        [
            float(value)
            for value in subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout.split()
        ]
        for _ in range(5)
    ]
    imported, loaded, first = (min(column) for column in zip(*runs, strict=True))
    return {"import_s": imported, "load_s": loaded, "first_s": first}


def preprocessing(seconds: float) -> list[dict[str, Any]]:
    """CPU milliseconds of `preprocess` by the size of the drawing."""
    import cv2

    from patsearch.encoder import preprocess

    cv2.setNumThreads(1)
    spec, found = load_encoder().card.preprocessing, []
    for side in (256, 500, 1000, 2000, 3000):
        drawing = np.full((side, side), 255, np.uint8)
        for radius in range(side // 20, side // 2 - 4, side // 20):
            cv2.circle(drawing, (side // 2, side // 2), radius, 0, 3)
        count, wall, cpu = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - wall < seconds / 3:
            preprocess(drawing, spec)
            count += 1
        found.append({"side": side, "cpu_ms": 1000 * (time.process_time() - cpu) / count})
    return found


def export(sizes: list[int], folder: Path, *, int8: bool) -> None:
    """The network of the shipped encoders for every size, in float32 and in 8 bits."""
    from patsearch.encoder import EncoderCard, Preprocessing, fingerprint
    from patsearch.encoder.onnx import OnnxEncoder
    from patsearch.training.data.drawings import some_drawings
    from patsearch.training.export.quantise import quantise
    from workshop.lite0 import FEATURES, read_weights
    from workshop.lite0_graph import build_model

    weights = read_weights()
    for size in sizes:
        data = build_model(weights, name="lite0", size=size, power=3).SerializeToString(deterministic=True)
        path, preprocessing = folder / f"{size}.onnx", Preprocessing(size=size)
        path.write_bytes(data)
        if int8:
            card = EncoderCard(str(size), "", FEATURES, preprocessing, fingerprint([data], preprocessing))
            some = some_drawings([], preprocessing, 64)
            quantise(OnnxEncoder(path, card), folder, f"{size}-int8", calibration=some[:32], check=some[32:])


def measurable(engines: list[str]) -> list[str]:
    """Those for which everything is installed."""
    needs = {"openvino": "openvino", "torch": "torch"}
    missing = {name for name, module in needs.items() if importlib.util.find_spec(module) is None}
    for name in sorted(missing):
        print(f"{name} is not installed and is left out")
    return [engine for engine in engines if engine.split()[0] not in missing]


def main() -> None:
    """Run every cell in a separate process and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="measuring time a cell")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256], help="sides of the drawings")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES), help="what to measure")
    parser.add_argument("--batches", type=int, nargs="+", default=list(BATCHES), help="drawings a call")
    parser.add_argument("--threads", type=int, nargs="+", default=list(THREADS), help="threads of an engine")
    parser.add_argument("--json", type=Path, help="write the raw figures here")
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cell:
        cell = json.loads(arguments.cell)
        print(json.dumps(measure(**cell | {"models": Path(cell["models"]), "seconds": arguments.seconds})))
        return
    cells = []
    with tempfile.TemporaryDirectory() as folder:
        engines = measurable(arguments.engines)
        export(arguments.sizes, Path(folder), int8=any(engine.endswith("int8") for engine in engines))
        shipped = load_encoder().card.preprocessing.size
        for size in [*arguments.sizes, shipped]:
            for engine in engines:
                if engine.endswith("shipped") != (size == shipped):
                    continue
                for threads in arguments.threads:
                    for batch in arguments.batches:
                        cell = {"engine": engine, "size": size, "batch": batch, "threads": threads, "models": folder}
                        command = [
                            sys.executable,
                            __file__,
                            "--seconds",
                            str(arguments.seconds),
                            "--cell",
                            json.dumps(cell),
                        ]
                        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
                        done = subprocess.run(command, capture_output=True, check=True, env=environment)
                        cells.append(json.loads(done.stdout))
                        print(
                            "{engine:20} {size} px  threads {threads}  batch {batch:2}: {per_second:6.1f}/s  "
                            "{per_cpu_second:6.1f}/CPU s  {cpu_ms:5.1f} CPU ms".format(**cells[-1]),
                            flush=True,
                        )
    report: dict[str, Any] = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "cells": cells,
        "loading": loading(),
        "preprocessing": preprocessing(arguments.seconds),
    }
    print(
        "loading: import onnxruntime {import_s:.3f} s, load {load_s:.3f} s, first drawing {first_s:.3f} s".format(
            **report["loading"]
        )
    )
    for row in report["preprocessing"]:
        print("preprocess {side:4} px: {cpu_ms:5.2f} CPU ms".format(**row))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
