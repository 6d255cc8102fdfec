"""How a teacher's size, dtype and place tell on time, memory and bytes: measures, and writes the page.

    python scripts/teacher_size.py --out docs/results/teacher-size_cpu_202611 --work /tmp/teachers

Teachers are ViTs of known sizes with random weights, made from configs; each case is a process of its own that loads
one and fills a store of a few random images with it. Cases of a size take turns; what is measured is kept in OUT.json,
and the same command goes on from there. OUT.md is made from it.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SIZES = {
    "ViT-B/16": (768, 12, 12, 3072, 16),
    "ViT-L/16": (1024, 24, 16, 4096, 16),
    "ViT-H/14": (1280, 32, 16, 5120, 14),
    "ViT-g/14": (1408, 40, 16, 6144, 14),
}
"""Width, layers, heads, width of the MLP, patch."""
ARMS = {"float32": ("float32", False), "bf16": ("bf16", False)}
ARMS |= {"float32, a quarter in memory": ("float32", True), "bf16, a quarter in memory": ("bf16", True)}
SIDE = 112
STATUS = Path("/proc/self/status")


def make(folder: Path, size: str) -> int:
    """Write a folder of a transformers model with random weights in float32; gives how many they are."""
    import safetensors.torch
    import torch
    from transformers import ViTConfig, ViTModel

    width, layers, heads, mlp, patch = SIZES[size]
    config = ViTConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=mlp,
        image_size=SIDE,
        patch_size=patch,
    )
    with torch.device("meta"):
        empty = ViTModel(config, add_pooling_layer=False)
    count = sum(weight.numel() for weight in empty.parameters())
    if (folder / "model.safetensors").exists():
        return count
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    state = {k: 0.02 * torch.randn(v.shape, generator=generator) for k, v in empty.state_dict().items()}
    config.architectures = ["ViTModel"]
    config.save_pretrained(folder)
    processor = {"image_processor_type": "ViTImageProcessor", "size": {"height": SIDE, "width": SIDE}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    safetensors.torch.save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return count


def resident(kind: str) -> int:
    """Bytes of this process: VmHWM (the most it ever had), or RssAnon (what no file holds, now)."""
    return int(re.search(rf"{kind}:\s+(\d+)", STATUS.read_text())[1]) * 1024


@contextmanager
def watched(found: dict[str, int]) -> Iterator[None]:
    """The most memory that no file holds: a file's pages are dropped when memory is short."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            found["anonymous_bytes"] = max(found.get("anonymous_bytes", 0), resident("RssAnon"))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def case(folder: Path, arm: str, count: int, images: int) -> dict[str, Any]:
    """Load a teacher, fill a store with it; in a process of its own."""
    import numpy as np

    from teachonce.data.samples import ArraySamples
    from teachonce.models import load_teacher
    from teachonce.stages.embed import embed

    dtype, placed = ARMS[arm]
    pixels = np.random.default_rng(0).integers(0, 256, (images, SIDE, SIDE, 3), np.uint8)
    data = ArraySamples(pixels, None, None)
    limit = f"auto,cpu={count * (4 if dtype == 'float32' else 2) // 4}B" if placed else None
    before = {kind: resident(kind) for kind in ("VmHWM", "RssAnon")}
    memory: dict[str, int] = {}
    with watched(memory), tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        teacher = load_teacher(str(folder), dtype=dtype, device_map=limit)
        load_s, load_peak = time.perf_counter() - start, resident("VmHWM")
        done = embed(
            teacher=teacher,
            data=data,
            store=Path(place) / "s.zarr",
            batch_size=images,
            device="cpu",
            workers=0,
            precision="float32" if dtype == "float32" else "auto",
        )
    return {
        "load_s": load_s,
        "image_s": done.seconds / images,
        "load_peak_bytes": load_peak - before["VmHWM"],
        "peak_bytes": resident("VmHWM") - before["VmHWM"],
        "anonymous_bytes": memory["anonymous_bytes"] - before["RssAnon"],
        "store_bytes_per_sample": 2 * teacher.info.embedding_dim,
    }


def measure(arguments: argparse.Namespace, known: dict[str, Any]) -> None:
    """What is missing, in rounds, each case a process; kept after each."""
    for round_ in range(arguments.rounds):
        for size in arguments.sizes:
            folder = arguments.work / size.replace("/", "-")
            count = make(folder, size)
            for arm in ARMS:
                runs = known["cases"].setdefault(size, {"parameters": count, "arms": {}})["arms"].setdefault(arm, [])
                if len(runs) > round_:
                    continue
                words = ["--case", str(folder), arm, str(count), str(arguments.images)]
                done = subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True, text=True)
                runs.append(json.loads(done.stdout.splitlines()[-1]) | {"load_average": os.getloadavg()[0]})
                print(size, arm, runs[-1], file=sys.stderr, flush=True)  # noqa: T201
                arguments.out.with_suffix(".json").write_text(json.dumps(known, indent=1) + "\n")


def origin(arguments: argparse.Namespace) -> dict[str, Any]:
    """Where and with what it was measured."""
    import psutil
    import torch
    import transformers

    processor = next((x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")), "")
    return {
        "kind": "teachonce.teacher-size",
        "images": arguments.images,
        "threads": torch.get_num_threads(),
        "machine": {
            "processor": processor.partition(": ")[2],
            "cores": os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "platform": platform.platform(),
        },
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "cases": {},
    }


def size_text(count: float) -> str:
    """`4.05 GB`."""
    return f"{count / 1e9:.2f} GB"


def page(known: dict[str, Any]) -> str:
    """The page, in Markdown."""
    rows, machine = [], known["machine"]
    cases = {size: known["cases"][size] for size in SIZES if size in known["cases"]}
    for size, found in cases.items():
        whole = found["arms"]["float32"]
        for arm, runs in found["arms"].items():
            times = [run["image_s"] for run in runs]
            pairs = [time / run["image_s"] for time, run in zip(times, whole, strict=False)]
            middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            item = 4 if arm.startswith("float32") else 2
            kinds = ("anonymous_bytes", "load_peak_bytes", "peak_bytes")
            sizes = (found["parameters"] * item, *(middle[kind] for kind in kinds))
            cells = [size, f"{found['parameters'] / 1e6:,.0f} M", arm, *map(size_text, sizes)]
            cells += [f"{statistics.median(pairs):.2f}", f"{middle['load_s']:.1f} s"]
            cells += [f"{middle['store_bytes_per_sample']:,.0f}"]
            rows.append("| " + " | ".join(cells) + " |")
    measured = [runs for found in cases.values() for runs in found["arms"].values()]
    loads = [run["load_average"] for runs in measured for run in runs]
    rounds = max(map(len, measured))
    return f"""# Teachers by size, dtype and place, on a CPU

ViTs of several sizes with random weights fill a store of {known["images"]} random images of {SIDE} px, in one batch. Each row is a separate
process, {rounds} of each; the rows of a size were measured one after the other. "A quarter in memory" is `--teacher-device-map auto,cpu=N` with N a quarter
of the weights' bytes: the rest is read from the model's file for every batch.

| teacher | weights | dtype and place | bytes of weights | peak without file pages | peak while loading | peak | time / float32 | loading | bytes per sample |
|---|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

- **Memory** is the memory of the process beyond what it had before loading (libraries are imported while loading, about 0.1 GB). "Peak without file pages" is
  memory that the system cannot drop. The other peaks are of resident memory; they include pages of the model's file that the system drops when memory is short,
  for instance of a float32 file that is read into bf16.
- **Time** is the time of an image in stage one, as a ratio to the same size in float32. It includes the fixed costs of a pass (making a store, rendering, writing),
  which for so few images are most of the smallest teacher's time. The sizes were measured one after the other, at different loads of the machine, so their
  times are not compared. "Loading" includes the import of the libraries and two trial batches. Reading weights for a batch costs the same for any batch size, so larger
  batches are cheaper with a device map; the batch here is small. The file was in the page cache.
- **Outputs** with a device map equal those of the whole teacher bit for bit (`tests/models/test_placed.py`).

{machine["processor"]}, {machine["cores"]} cores, {size_text(machine["memory_bytes"])} of memory, {known["threads"]} threads, torch {known["versions"]["torch"]}, transformers
{known["versions"]["transformers"]}. The machine was shared: its load was {min(loads):.0f} to {max(loads):.0f} on {machine["cores"]} cores during the measurement, so only
large differences in time are meaningful. The numbers are in [`teacher-size_cpu_202611.json`](teacher-size_cpu_202611.json).

```sh
python scripts/teacher_size.py --out docs/results/teacher-size_cpu_202611 --work WORK --images {known["images"]} --rounds {rounds}
```
"""  # noqa: E501 - lines of the page


def main() -> None:
    """Measure what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--work", type=Path, help="Where the models are made; 8 GB for all.")
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--case", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        folder, arm, count, images = arguments.case
        print(json.dumps(case(Path(folder), arm, int(count), int(images))))  # noqa: T201
        return
    file = arguments.out.with_suffix(".json")
    known = json.loads(file.read_text()) if file.exists() else origin(arguments)
    measure(arguments, known)
    arguments.out.with_suffix(".md").write_text(page(known))


if __name__ == "__main__":
    main()
