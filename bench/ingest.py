"""How busy ingest keeps the machine, and what each stage costs, on real-size sheets.

    python bench/ingest.py ARCHIVE... [--sheets 2000] [--json FILE]

The grants of the archives are repeated under new numbers until there are as many sheets as requested;
the copies are in a temporary archive and are ingested into a temporary index by the real command.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

STAGES = ("read", "unpack", "decode", "split", "shrink", "thumbnail", "write", "encode")


def grants(archives: list[Path]) -> list[tuple[str, bytes]]:
    """Name and bytes of every grant ZIP in the archives; folders are searched for .tar files."""
    paths = [p for a in archives for p in (sorted(a.glob("*.tar")) if a.is_dir() else [a])]
    found = []
    for path in paths:
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file and member.name.upper().endswith(".ZIP"):
                    found.append((Path(member.name).stem, file.read()))
    return found


def copies(originals: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes, int]]:
    """The grants over and over, each time under new numbers: stem, ZIP bytes, sheets."""
    for serial, (stem, data) in enumerate(itertools.cycle(originals)):
        old = re.search(r"US(D?)0*(\d+)-", stem)
        if old is None:
            continue
        letter, digits = old.groups()
        new = f"{letter}{9_000_000 + serial}"
        buffer, sheets = io.BytesIO(), 0
        with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as target:
            for name in source.namelist():
                content = source.read(name)
                if name.upper().endswith(".XML"):
                    number = rf"(<doc-number>){letter}0*{digits}(</doc-number>)".encode()
                    content = re.sub(number, rf"\g<1>{new}\g<2>".encode(), content, count=1)
                    # The XML names the image files.
                    content = re.sub(rf"US{letter}0*{digits}-".encode(), f"US{new}-".encode(), content)
                elif name.upper().endswith(".TIF"):
                    sheets += 1
                target.writestr(re.sub(rf"US{letter}0*{digits}-", f"US{new}-", name), content)
        yield f"US{new}-{stem.split('-')[-1]}", buffer.getvalue(), sheets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+", type=Path)
    parser.add_argument("--sheets", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        total = 0
        with tarfile.open(folder / "I20200107.tar", "w") as archive:
            for stem, data, sheets in copies(grants(options.archives)):
                info = tarfile.TarInfo(f"I20200107/DESIGN/{stem}.ZIP")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
                total += sheets
                if total >= options.sheets:
                    break
        command = [sys.executable, "-m", "patsearch", "ingest", str(folder), "--index", str(folder / "index"), "--json"]
        start = time.perf_counter()
        report = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cores = len(os.sched_getaffinity(0))
    busy = (used.ru_utime + used.ru_stime) / (seconds * cores)
    cost = report["rate"]["cpu_ms_per_drawing"]
    others = sum(cost.get(stage, 0.0) for stage in STAGES if stage != "encode")
    result = {
        "sheets": report["sheets"],
        "drawings": report["drawings"],
        "failed": len(report["failed"]),
        "seconds": round(seconds, 2),
        "drawings_per_second": round(report["drawings"] / seconds, 2),
        "cores": cores,
        "busy_share": round(busy, 3),
        "cpu_ms_per_drawing": cost,
        "others_ms": round(others, 3),
        "others_to_encode": round(others / cost["encode"], 3),
        "peak_rss_mb_of_the_largest_process": round(used.ru_maxrss / 1024),
    }
    print(f"{result['sheets']} sheets, {result['drawings']} drawings, {seconds:.1f} s, {cores} cores")
    print(f"cores busy: {busy:.1%} (start-up included)")
    for stage in STAGES:
        print(f"  {stage:<10} {cost.get(stage, 0.0):7.2f} ms CPU a drawing")
    print(f"all but encode: {others:.2f} ms, {others / cost['encode']:.2f} x encode")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
