import numpy as np
import xxhash

from teachonce.digests import digest_array, digest_bytes, digest_hex, digest_pieces


def test_bytes_are_hashed_as_they_are():
    assert digest_bytes(b"abc") == xxhash.xxh3_64_intdigest(b"abc") == 8696274497037089104
    assert digest_bytes(memoryview(b"abc")) == digest_bytes(b"abc")
    assert digest_hex(b"abc") == "06b05ab6733a618578af5f94892f3950"


def test_arrays_are_hashed_by_dtype_shape_and_elements():
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    known = xxhash.xxh3_64_intdigest(b"|u1 3,4\n" + bytes(range(12)))
    assert digest_array(array) == known
    assert digest_array(np.asfortranarray(array)) == known
    assert digest_array(np.repeat(array, 2, 0)[::2]) == known
    others = [array.reshape(4, 3), array.astype(np.int8), array.astype(np.float32), array + 1, array[:0], np.uint8(1)]
    assert len({digest_array(np.asarray(other)) for other in others} | {known}) == 7


def test_the_digest_of_pieces_is_that_of_the_whole():
    for pieces in ([], [b"a"], [b"", b"ab", b"c" * 1000]):
        assert digest_pieces(pieces) == digest_bytes(b"".join(pieces))
