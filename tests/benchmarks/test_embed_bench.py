"""What `scripts/bench_embed.py` reports: three arms, and a ratio of the rounds."""

from bench_embed import bench_embed


def test_the_benchmark_measures_three_arms():
    result = bench_embed(teacher="cnn-2", data="digits", limit=96, rounds=2, batch_size=32, device="cpu", workers=0)
    assert (result.rows, result.batch_size, result.rounds, result.compute_dtype) == (96, 32, 2, "float32")
    assert result.ratio.low <= result.ratio.median <= result.ratio.high
    assert min(result.stage_samples_per_s, result.forward_samples_per_s, result.decode_samples_per_s) > 0
    assert (result.bound == "decode") == (result.decode_samples_per_s < result.forward_samples_per_s)
