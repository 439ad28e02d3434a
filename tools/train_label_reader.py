"""Train the label reader on synthetic text lines and export it as the shipped ONNX file.

    python tools/train_label_reader.py --out patsearch/drawings/weights/label-reader.onnx

Needs the `train` and `dev` extras and many free fonts (found with `fc-list`). No sheet
of a real patent is used. The network is a small convolutional CTC reader (Graves et al. 2006).
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent))
from label_lines import fonts, sample
from patsearch.drawings.reader import ALPHABET, HEIGHT, fit_line

_NAMES: list[str] = []


class LabelReader(nn.Module):
    """(N, 1, 24, W) in [0, 1], ink = 1 -> (N, W/2, 1 + len(ALPHABET)) log-probabilities."""

    def __init__(self) -> None:
        super().__init__()

        def block(
            cin: int, cout: int, kernel: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int]
        ) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(cin, cout, kernel, stride, pad, bias=False), nn.BatchNorm2d(cout), nn.ReLU())

        self.body = nn.Sequential(
            block(1, 16, (3, 3), (2, 2), (1, 1)),  # 12 x W/2
            block(16, 32, (3, 3), (2, 1), (1, 1)),  # 6 x W/2
            block(32, 48, (3, 3), (2, 1), (1, 1)),  # 3 x W/2
            block(48, 64, (3, 3), (1, 1), (0, 1)),  # 1 x W/2
            block(64, 64, (1, 5), (1, 1), (0, 2)),
            nn.Dropout(0.1),
            block(64, 64, (1, 5), (1, 1), (0, 2)),
            nn.Conv2d(64, 1 + len(ALPHABET), 1),
        )

    def forward(self, lines: Tensor) -> Tensor:
        scores: Tensor = self.body(lines)
        return scores.squeeze(2).transpose(1, 2).log_softmax(dim=2)


def _start(names: list[str]) -> None:
    _NAMES[:] = names
    import cv2

    cv2.setNumThreads(1)


def _make(seed: int) -> tuple[list[NDArray[np.uint8]], list[str]]:
    rng = random.Random(seed)
    made = [sample(_NAMES, rng) for _ in range(500)]
    return [fit_line(crop) for crop, _ in made], [text for _, text in made]


def pool(count: int, seed: int, names: list[str], workers: int) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """`count` lines, fitted to the reader's height, and their strings."""
    lines: list[NDArray[np.uint8]] = []
    texts: list[str] = []
    with Pool(workers, _start, (names,)) as processes:
        for some, read in processes.imap(_make, range(seed, seed + count // 500)):
            lines += some
            texts += read
    return lines, texts


def batch(lines: list[NDArray[np.uint8]], texts: list[str], rng: random.Random | None) -> tuple[Tensor, Tensor, Tensor]:
    """Lines on common paper: (N, 1, 24, W); their targets in one row; the targets' lengths."""
    width = -(-max(line.shape[1] for line in lines) // 32) * 32
    paper = np.zeros((len(lines), 1, HEIGHT, width), np.float32)
    for i, line in enumerate(lines):
        ink = line.astype(np.float32) / 255
        if rng is not None:
            ink = np.roll(ink, rng.randint(-1, 1), axis=0) * rng.uniform(0.7, 1.3)
            if rng.random() < 0.15:  # a stray mark, or a stroke worn away
                x, y = rng.randrange(ink.shape[1]), rng.randrange(HEIGHT)
                ink[y : y + rng.randint(1, 4), x : x + rng.randint(1, 4)] = rng.choice((0.0, 1.0))
        paper[i, 0, :, : ink.shape[1]] = np.clip(ink, 0, 1)
    codes = torch.tensor([1 + ALPHABET.index(char) for text in texts for char in text], dtype=torch.long)
    return torch.from_numpy(paper), codes, torch.tensor([len(text) for text in texts])


def decode(log_probabilities: Tensor) -> list[str]:
    """Best path: repeated symbols collapsed, blanks dropped."""
    out = []
    for row in log_probabilities.argmax(2).tolist():
        out.append("".join(ALPHABET[c - 1] for i, c in enumerate(row) if c and (i == 0 or row[i - 1] != c)))
    return out


def accuracy(model: nn.Module, lines: list[NDArray[np.uint8]], texts: list[str]) -> dict[str, float]:
    """Share of lines read exactly: labels, other text, negatives."""
    model.eval()
    right: dict[str, list[bool]] = {"label": [], "text": [], "nothing": []}
    order = sorted(range(len(lines)), key=lambda i: lines[i].shape[1])
    with torch.no_grad():
        for k in range(0, len(order), 128):
            part = order[k : k + 128]
            read = decode(model(batch([lines[i] for i in part], [], None)[0]))
            for i, got in zip(part, read, strict=True):
                kind = "nothing" if not texts[i] else "label" if texts[i].startswith("FIG") else "text"
                right[kind].append(got == texts[i])
    model.train()
    return {kind: round(float(np.mean(values)), 4) for kind, values in right.items()}


def export(model: nn.Module, path: Path) -> None:
    """Write the network with free batch and width."""
    model.eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        model, (torch.zeros(1, 1, HEIGHT, 64),), path, dynamo=False, opset_version=17,
        input_names=["lines"], output_names=["log_probabilities"],
        dynamic_axes={"lines": {0: "n", 3: "w"}, "log_probabilities": {0: "n", 1: "t"}},
    )  # fmt: skip
    model.train()


def main() -> None:
    """Render, train, report, export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lines", type=int, default=160_000)
    parser.add_argument("--steps", type=int, default=30_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    rng = random.Random(options.seed)
    names = fonts()
    rng.shuffle(names)
    held_out, names = names[: len(names) // 12], names[len(names) // 12 :]
    print(f"{len(names)} fonts to train on, {len(held_out)} held out", flush=True)
    start = time.perf_counter()
    lines, texts = pool(options.lines, 1_000_000 * (options.seed + 1), names, options.workers)
    test_lines, test_texts = pool(3_000, 0, held_out, options.workers)
    print(f"rendered {len(lines)} lines in {time.perf_counter() - start:.0f} s", flush=True)
    by_width = sorted(range(len(lines)), key=lambda i: lines[i].shape[1])
    batches = [by_width[i : i + options.batch] for i in range(0, len(by_width), options.batch)]

    model = LabelReader()
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=options.steps)
    loss_of = nn.CTCLoss(zero_infinity=True)
    running = 0.0
    for step in range(1, options.steps + 1):
        part = rng.choice(batches)
        x, codes, lengths = batch([lines[i] for i in part], [texts[i] for i in part], rng)
        out = model(x).transpose(0, 1)  # (T, N, C)
        loss = loss_of(out, codes, torch.full((len(part),), out.shape[0]), lengths)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        running += (loss.item() - running) / min(step, 200)
        if step % 500 == 0 or step == options.steps:
            seconds = time.perf_counter() - start
            held_out_shares = accuracy(model, test_lines, test_texts)
            print(f"step {step}: loss {running:.4f}, {seconds:.0f} s, unseen fonts {held_out_shares}", flush=True)
            export(model, options.out)


if __name__ == "__main__":
    main()
