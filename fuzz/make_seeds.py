"""Writes seed corpora: ``python -m fuzz.make_seeds [FOLDER]`` makes one folder for each harness.

Besides the streams in tests/data, the seeds are made of recordings where TOKENWIRE_CORPUS and
TOKENWIRE_SSE_CASES name some.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from fuzz.inputs import HARNESSES, seeds

SEEDS = Path(__file__).parent / "seeds"


def write_seeds(folder: Path) -> dict[str, int]:
    """Write every harness's seeds below `folder` and return how many each has."""
    counts = dict.fromkeys(HARNESSES, 0)
    for name in HARNESSES:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for seed in seeds(name):
            digest = hashlib.sha256(seed).hexdigest()[:16]
            (folder / name / digest).write_bytes(seed)
            counts[name] += 1
    return counts


if __name__ == "__main__":
    for name, count in write_seeds(Path(sys.argv[1]) if sys.argv[1:] else SEEDS).items():
        sys.stdout.write(f"{name}: {count} seeds\n")
