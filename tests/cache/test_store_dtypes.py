"""The cast into stored dtypes, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from teachonce.cache import from_stored, to_stored
from teachonce.cache.dtypes import is_finite
from teachonce.errors import InputError, NonFiniteError

torch = pytest.importorskip("torch")


def every_upper_half() -> np.ndarray:
    """All 2**16 sign-exponent-mantissa halves, each with lower halves around the tie."""
    upper = np.arange(1 << 16, dtype=np.uint32) << 16
    lower = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], dtype=np.uint32)
    values = (upper[:, None] | lower).reshape(-1).view(np.float32)
    return values[np.isfinite(values)]


def test_bfloat16_rounds_as_torch_does():
    values = every_upper_half()
    expected = torch.from_numpy(values).to(torch.bfloat16)
    kept = torch.isfinite(expected).numpy()
    bits = to_stored(values[kept], "bfloat16")
    assert bits.dtype == np.dtype("<u2")
    np.testing.assert_array_equal(bits, expected.view(torch.int16).numpy().view(np.uint16)[kept])
    np.testing.assert_array_equal(from_stored(bits, "bfloat16"), expected.float().numpy()[kept])


@given(hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(-65000, 65000, width=32)))
def test_float16_rounds_to_nearest_even(values: np.ndarray):
    stored = to_stored(values, "float16")
    np.testing.assert_array_equal(stored, torch.from_numpy(values).half().numpy())
    np.testing.assert_array_equal(from_stored(stored, "float16"), stored.astype(np.float32))


def test_float32_is_kept():
    values = np.array([[1.5, -3e38]], dtype=np.float32)
    np.testing.assert_array_equal(to_stored(values, "float32"), values)


@pytest.mark.parametrize(
    ("dtype", "value", "mend"),
    [
        ("float16", 70000.0, "Use --dtype bfloat16 or float32"),
        ("float16", -65520.0, "Use --dtype bfloat16 or float32"),
        ("bfloat16", 3.4e38, "Use --dtype float32"),
    ],
)
def test_overflow_names_the_dtypes_to_use(dtype: str, value: float, mend: str):
    values = np.ones((4, 1, 3), dtype=np.float32)
    values[2, 0, 1] = value
    with pytest.raises(NonFiniteError, match=r"row 2 .* infinity in") as caught:
        to_stored(values, dtype)
    assert caught.value.mend == mend


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_values_are_refused(dtype: str, value: float):
    values = np.ones((4, 3), dtype=np.float32)
    values[3, 0] = value
    with pytest.raises(NonFiniteError, match=r"row 3 .* NaN or infinity"):
        to_stored(values, dtype)


@given(
    hnp.arrays(np.float32, st.integers(0, 20), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)),
    st.sampled_from(["float16", "float32"]),
)
def test_finite_by_bits_is_finite(values: np.ndarray, dtype: str):
    with np.errstate(over="ignore"):
        cast = values.astype(dtype)
    assert is_finite(cast, dtype) == bool(np.isfinite(cast).all())


def test_unknown_dtypes_are_refused():
    for dtype in ("int8", "uint8"):
        with pytest.raises(InputError, match="dtype"):
            to_stored(np.ones(1, np.float32), dtype)


def test_no_rows_are_fine():
    assert to_stored(np.empty((0, 4), np.float32), "float16").shape == (0, 4)
