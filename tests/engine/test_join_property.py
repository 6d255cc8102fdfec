"""Whatever is shuffled, dropped, repeated or renamed: a batch has the targets of its bytes, or it is an error."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

import teachonce
from teachonce.digests import digest_bytes
from teachonce.errors import TeachonceError
from tests.drawn import WHOLE
from tests.engine.joinkit import FileItems, expected, make_store, write_files

POOL = [f"content {i}".encode() * (1 + i % 3) for i in range(12)]
CONTENT = st.sampled_from(POOL)
CASES = st.fixed_dictionaries(
    {
        "stored": st.lists(CONTENT, min_size=1, max_size=40),
        "given": st.lists(CONTENT, min_size=1, max_size=25),
        "failed": st.sets(st.integers(0, 39)),
        "names": st.permutations(range(25)),
        "missing": st.sampled_from(["raise", "drop"]),
        "way": st.sampled_from(["files", "digests", "bytes"]),
        "batch": st.integers(1, 7),
        "views": st.integers(1, 2),
    }
)
# A dataset that is the store's, but for one thing: what a second lister of the same folder gives.
ALMOST = st.builds(
    lambda case, order, drop: {**case, "stored": POOL, "given": [POOL[i] for i in order][drop:], "failed": set()},
    CASES,
    st.permutations(range(len(POOL))),
    st.integers(0, 3),
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[Path]]:
    """A new folder each time; removing them takes longer than all the rest."""
    home = tmp_path_factory.mktemp("join")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        yield (home / str(number) for number in count())


@settings(max_examples=80 if WHOLE else 40, deadline=None, derandomize=True)
@given(st.one_of(CASES, ALMOST), st.randoms(use_true_random=False))
def test_every_target_is_that_of_the_bytes(folders, case, random):
    folder = next(folders)
    stored, failed = case["stored"], {row: "truncated" for row in case["failed"] if row < len(case["stored"])}
    place = make_store(folder / "s.zarr", stored, failed=failed, views=case["views"]).path
    contents = {f"{name:02d}.bin": content for name, content in zip(case["names"], case["given"], strict=False)}
    paths = write_files(folder / "data", contents)
    random.shuffle(paths)
    ways = {
        "files": {"files": lambda dataset, i: dataset.paths[i]},
        "bytes": {"files": [Path(path).read_bytes() for path in paths]},
        "digests": {"digests": [digest_bytes(Path(path).read_bytes()) for path in paths]},
    }[case["way"]]
    view = random.randrange(case["views"])

    alive = [(row, content) for row, content in enumerate(stored) if row not in failed]
    fine = {content: [row for row, other in alive if other == content] for content in POOL}
    wanted = [i for i, path in enumerate(paths) if fine[Path(path).read_bytes()]]
    teacher = teachonce.CachedTeacher(place, device="cpu")
    if not wanted or (case["missing"] == "raise" and len(wanted) < len(paths)):
        with pytest.raises(TeachonceError) as refused:
            teacher.dataset(FileItems(paths), view=view, missing=case["missing"], **ways)
        assert refused.value.kind in ("mismatch", "failed-samples", "data")
        return
    joined = teacher.dataset(FileItems(paths), view=view, missing=case["missing"], **ways)
    seen = []
    for (data, numbers), targets in DataLoader(joined, batch_size=case["batch"], shuffle=True, collate_fn=ragged):
        for place in range(len(numbers)):
            content = data[place].numpy().tobytes()
            assert int(targets["row"][place]) == fine[content][0]
            for key in ("image_embedding", "logits"):
                assert torch.equal(targets[key][place], expected(content, key, view))
            again = teacher(targets["row"][place : place + 1], view)
            assert torch.equal(again["logits"][0], targets["logits"][place])
        seen += numbers
    assert sorted(seen) == wanted


def ragged(batch):
    """Items of different lengths side by side; their targets as the default does it."""
    items, targets = zip(*batch, strict=True)
    data, numbers = zip(*items, strict=True)
    return (data, list(numbers)), torch.utils.data.default_collate(targets)
