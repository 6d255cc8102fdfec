"""`scripts/bench_macs.py`: CIFD's appendix D.2, on its own constants and on the networks as counted."""

from typing import Any

import pytest
from bench_macs import bench_macs, scheme_costs
from macs_presets import Networks, Schedule

from teachonce.benchmarks.parts import MacsBench, Scheme
from teachonce.errors import InputError, ModelError
from teachonce.plots.macs import PARTS

ROWS = 1_280_000


@pytest.fixture(scope="module")
def imagenet() -> MacsBench:
    return bench_macs()


@pytest.fixture(scope="module")
def cnn() -> MacsBench:
    return bench_macs(preset="cifd-cnn", rows=1, epochs=1, kd_epochs=1, rdm_epochs=1, assistant_epochs=1)


def of(result: MacsBench, name: str) -> Scheme:
    (found,) = (scheme for scheme in result.schemes if scheme.name == name)
    return found


def test_by_hand():
    """Powers of ten, so that each digit is a number of passes."""
    networks = Networks(teacher=10**6, student=1, rdm=100, assistants=(10**4, 10**3))
    schedule = Schedule(rows=1, epochs=3, kd_epochs=5, rdm_epochs=2, assistant_epochs=1, rdms=2, views=1)
    costs = {name: sum(parts.values()) for name, parts in scheme_costs(networks, schedule).items()}
    assert costs == {
        "kd": 5_000_005,
        "takd": 1_022_001,
        "dgkd": 3_032_001,
        "cifd": 5_001_003,
        "cifd-rdm-cached": 4_001_003,
        "cifd-cached": 1_000_603,
        "kd-cached": 1_000_005,
    }
    twice = scheme_costs(networks, Schedule(**{**schedule.__dict__, "views": 2}))
    assert twice["cifd-cached"] == {"teacher": 2_000_000, "assistants": 0, "rdm": 800, "student": 3}
    assert twice["kd"] == scheme_costs(networks, schedule)["kd"]


@pytest.mark.parametrize(
    ("name", "peta", "ratio"),
    [
        ("kd", 704.0, 1.0),
        ("takd", None, 3.46),
        ("dgkd", None, 4.54),
        ("cifd", 762.2, 1.083),
        ("cifd-rdm-cached", 624.8, 0.888),
        ("kd-cached", 235.1, 0.334),
    ],
)
def test_the_papers_own_constants_give_its_figures(imagenet: MacsBench, name: str, peta: float | None, ratio: float):
    found = of(imagenet, name).by_paper_constants
    assert found.ratio == pytest.approx(ratio, abs=0.005 if peta is None else 0.0006)
    assert peta is None or found.macs / 1e15 == pytest.approx(peta, abs=0.06)


def test_from_the_cache_the_rdms_run_once_too(imagenet: MacsBench):
    """208.1 P, .296 of KD, with RDMs that run in every epoch of the student; 207.6 P where their outputs are kept."""
    found = of(imagenet, "cifd-cached").by_paper_constants
    again = 3 * 1_310_000 * ROWS * (88 - 1)
    assert (found.macs + again) / 1e15 == pytest.approx(208.1, abs=0.06)
    assert (found.macs + again) / of(imagenet, "kd").by_paper_constants.macs == pytest.approx(0.296, abs=5e-4)
    assert found.parts["teacher"] == 3_700_000_000 * ROWS


def test_networks_are_counted(imagenet: MacsBench):
    counted = {entry.name: entry.macs for entry in imagenet.networks}
    assert {name: round(macs / 1e6) for name, macs in counted.items()} == {
        "resnet-34": 3664,
        "resnet-18": 1814,
        "resnet-30": 3201,
        "RDM of preset r34": 2,
    }
    assert counted["RDM of preset r34"] == 4 * 512**2 + 512 * 1000
    assert of(imagenet, "cifd").macs / 1e15 == pytest.approx(758.3, abs=0.15)
    assert of(imagenet, "cifd").ratio == pytest.approx(1.0815, abs=5e-4)
    assert (of(imagenet, "takd").ratio, of(imagenet, "dgkd").ratio) == pytest.approx((3.47, 4.54), abs=0.005)
    assert of(imagenet, "cifd").ratio * 100 / 88 == pytest.approx(1.230, abs=0.002)  # at equal epochs
    assert of(imagenet, "cifd").parts["rdm"] == 3 * 1_560_576 * ROWS * (30 + 88)
    assert of(imagenet, "cifd-cached").parts["teacher"] == pytest.approx(4.7e15, rel=0.011)


def test_the_plain_cnns(cnn: MacsBench):
    """Per image and epoch, in millions."""
    millions = {name: of(cnn, name).macs / 1e6 for name in ("kd", "takd", "dgkd", "cifd")}
    assert millions == pytest.approx({"kd": 76.03, "takd": 314.4, "dgkd": 677.6, "cifd": 77.4 + 73.6}, abs=0.06)
    assert {entry.name: round(entry.macs / 1e6, 3) for entry in cnn.networks} == {
        "cnn-10": 72.239,
        "cnn-8": 52.861,
        "cnn-6": 40.756,
        "cnn-4": 25.552,
        "cnn-2": 3.794,
        "RDM of preset cnn": 0.459,
    }
    assert (of(cnn, "takd").ratio, of(cnn, "dgkd").ratio) == pytest.approx((2.08, 4.49), abs=0.005)
    assert of(cnn, "cifd").by_paper_constants is None


def test_the_claim_of_table_1_holds_for_equal_epochs_only():
    short = bench_macs(preset="cifd-cnn", epochs=160, kd_epochs=160, assistant_epochs=160, rdm_epochs=30)
    assert (of(short, "takd").ratio, of(short, "dgkd").ratio) == pytest.approx((3.45, 7.43), abs=0.005)
    assert short.settings.items() >= {"epochs": 160, "rdm_epochs": 30, "rows": 50_000}.items()


@pytest.mark.parametrize("preset", ["cifd-imagenet", "cifd-cnn"])
def test_what_the_paper_says_stands_beside_it(preset: str, imagenet: MacsBench):
    result = imagenet if preset == "cifd-imagenet" else bench_macs(preset=preset)
    assert (result.kind, result.format) == ("teachonce.bench-macs", 1)
    for scheme in result.schemes:
        assert scheme.why
        assert set(scheme.parts) == set(PARTS)
        assert scheme.macs == sum(scheme.parts.values())
        assert scheme.ratio == scheme.macs / of(result, result.reference).macs
    takd = of(result, "takd")
    assert takd.paper.ratio == {"cifd-imagenet": 3.5, "cifd-cnn": 2.0}[preset]
    base = of(result, result.reference)
    assert takd.paper.macs == takd.paper.ratio * (base.by_paper_constants or base).macs
    assert of(result, "kd-cached").paper is None


def test_other_assistants():
    result = bench_macs(preset="cifd-cnn", assistants=["cnn-4"], assistant_epochs=1, rows=1)
    assert of(result, "takd").parts["assistants"] == 2 * 25_551_872
    assert result.settings["assistants"] == ("cnn-4",)
    alone = bench_macs(preset="cifd-cnn", assistants=[])
    assert of(alone, "takd").parts == of(alone, "dgkd").parts == of(alone, "kd").parts


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"preset": "cifd"}, InputError, "no preset 'cifd'"),
        ({"rows": 0}, InputError, "rows must be at least 1, got 0"),
        ({"views": -1}, InputError, "views must be at least 1, got -1"),
        ({"preset": "cifd-cnn", "assistants": ["cnn-5"]}, ModelError, "no CNN of 5 layers"),
    ],
)
def test_bad_input(options: dict[str, Any], error: type[Exception], told: str):
    with pytest.raises(error, match=told):
        bench_macs(**options)
