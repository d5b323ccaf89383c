"""Latency on a clock that only the networks advance."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from surronas.exceptions import InvalidInputError
from surronas.spaces.mbconv import MBConv, Stage
from surronas.transfer import latency
from surronas.transfer.latency import Reference, measure_latency


class Clock:
    """Time goes on only while a network computes: a millisecond a layer and image, more when the machine is slow."""

    def __init__(self) -> None:
        self.now, self.calls = 0.0, []
        self.slowness = lambda clock: 1.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(latency, "perf_counter", clock)
    monkeypatch.setattr(Layers, "clock", clock, raising=False)
    return clock


class Layers(nn.Module):
    resolution = 4
    clock: Clock

    def __init__(self, depth: int, name: str = "") -> None:
        super().__init__()
        self.depth, self.name = depth, name or f"depth {depth}"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert images.shape[1:] == (3, 4, 4)
        assert torch.get_num_threads() == 1
        assert torch.is_inference_mode_enabled()
        self.clock.calls.append((self.name, len(images)))
        self.clock.now += 0.001 * self.depth * len(images) * self.clock.slowness(self.clock)
        return images


def test_columns_and_values(clock):
    frame = measure_latency([Layers(5), Layers(10)], (1, 8))
    assert list(frame) == ["latency_ms", "latency_spread_ms", "latency_8_ms", "latency_8_spread_ms"]
    assert frame["latency_ms"].tolist() == pytest.approx([5, 10])
    assert frame["latency_8_ms"].tolist() == pytest.approx([40, 80])
    assert frame.filter(like="spread").to_numpy().ravel().tolist() == pytest.approx([0] * 4)


def test_a_round_samples_every_network_and_size_once_in_an_order_of_its_own(clock):
    reference = Reference(Layers(1, "reference"), (3, 4, 4))
    networks = [Layers(1, name) for name in "abcdef"]
    measure_latency(networks, (1, 2), n_rounds=5, min_seconds=0, reference=reference)
    jobs = [(name, size) for size in (1, 2) for name in [*"abcdef", "reference"]]
    first, samples = clock.calls[: 2 * len(jobs)], clock.calls[2 * len(jobs) :]
    assert first[::2] == first[1::2] == jobs  # each timed call follows an untimed one
    assert samples[::2] == samples[1::2]
    sequences = [samples[start : start + 26 : 2] for start in range(0, len(samples), 26)]
    assert len(sequences) == 5 * 2
    for sequence in sequences:
        (size,) = {size for _, size in sequence}
        assert sequence[::2] == [("reference", size)] * 7
        assert sorted(sequence[1::2]) == [(name, size) for name in "abcdef"]
    assert len({tuple(sequence) for sequence in sequences}) == 10
    assert all({a[0][1], b[0][1]} == {1, 2} for a, b in zip(sequences[::2], sequences[1::2], strict=True))


def test_short_calls_are_repeated_within_a_sample(clock):
    measure_latency([Layers(3)], (1,), n_rounds=1, min_seconds=0.01, reference=Reference(Layers(20), (3, 4, 4)))
    assert clock.calls.count(("depth 3", 1)) == 2 + 1 + 4
    assert clock.calls.count(("depth 20", 1)) == 2 + 2 * 2


def test_a_few_disturbed_samples_are_no_matter(clock):
    clock.slowness = lambda clock: 50.0 if len(clock.calls) % 101 == 0 else 1.0
    frame = measure_latency([Layers(5), Layers(7)], (1,))
    assert frame["latency_ms"].tolist() == pytest.approx([5, 7])


def test_a_neighbour_who_comes_and_goes_is_taken_out(clock):
    """Two thirds of the time everything takes half as long again: the median of plain samples would be that."""
    clock.slowness = lambda clock: 1.0 if clock.now % 9 < 3 else 1.5
    frame = measure_latency([Layers(5), Layers(7)], (1, 8))
    assert frame["latency_ms"].tolist() == pytest.approx([5, 7])
    assert frame["latency_8_ms"].tolist() == pytest.approx([40, 56])


def test_drift_is_taken_out(clock):
    clock.slowness = lambda clock: 1 + len(clock.calls) / 2000  # a sample takes ever longer
    networks = [Layers(5, str(number)) for number in range(8)]
    frame = measure_latency(networks, (1,), n_rounds=41)
    assert clock.slowness(clock) > 2.4
    assert frame["latency_ms"].max() < 1.002 * frame["latency_ms"].min()
    assert (frame["latency_spread_ms"] < 0.005 * frame["latency_ms"]).all()


def test_blocks_have_the_same_scale(clock, monkeypatch):
    monkeypatch.setattr(latency, "BLOCK", 2)
    seen_c = lambda clock: any(name == "c" for name, _ in clock.calls)  # noqa: E731
    clock.slowness = lambda clock: 3.0 if seen_c(clock) else 1.0
    networks = [Layers(depth, name) for depth, name in ((5, "a"), (6, "b"), (5, "c"), (6, "d"), (5, "e"))]
    frame = measure_latency(iter(networks), (1, 4))
    assert frame["latency_ms"].tolist() == pytest.approx([5, 6, 5, 6, 5])
    assert frame["latency_4_ms"].tolist() == pytest.approx([20, 24, 20, 24, 20])


def test_a_reference_makes_calls_comparable(clock):
    reference = Reference(Layers(9), (3, 4, 4))
    before = measure_latency([Layers(5)], (1,), reference=reference)
    assert reference.seconds == {1: pytest.approx(0.009)}
    clock.slowness = lambda clock: 2.0
    after = measure_latency([Layers(5)], (1,), reference=reference)
    assert after.loc[0, "latency_ms"] == pytest.approx(before.loc[0, "latency_ms"])
    assert measure_latency([Layers(5)], (1,)).loc[0, "latency_ms"] == pytest.approx(10)


def test_the_reference_is_a_middling_network_of_the_first_block(clock, monkeypatch):
    monkeypatch.setattr(latency, "BLOCK", 3)
    networks = [Layers(depth, name) for depth, name in ((9, "a"), (1, "b"), (4, "c"), (3, "d"))]
    measure_latency(networks, (1,), n_rounds=2, min_seconds=0)
    calls = [name for name, _ in clock.calls]
    assert calls.count("c") > 3 * max(calls.count(name) for name in "abd")


def test_no_more_than_a_block_is_asked_for_at_a_time(clock, monkeypatch):
    monkeypatch.setattr(latency, "BLOCK", 2)
    asked = []

    def networks():
        for number in range(5):
            asked.append((number, len(clock.calls)))
            yield Layers(1, str(number))

    measure_latency(networks(), (1,))
    calls = dict(asked)
    assert calls[0] == calls[1] == 0
    assert 0 < calls[2] == calls[3] < calls[4]


def test_threads_are_restored_even_when_a_network_fails(clock):
    class Broken(Layers):
        def forward(self, images):
            raise RuntimeError("broken")

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        measure_latency([Layers(1)], (1,))
        assert torch.get_num_threads() == 2
        with pytest.raises(RuntimeError, match="broken"):
            measure_latency([Broken(1)], (1,))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_real_networks_are_timed_and_left_as_they_were():
    stages = [Stage(True, 8, 2, (1, 2), (3,), (1,)), Stage(False, 8, 1, (1,), (3,), (1,))]
    space = MBConv(stages, resolutions=(8, 16), widths=(1.0,), stem=8, features=8)
    networks = [space.build(x, in_channels=1) for x in (space.smallest(), space.largest())]
    state = {name: part.clone() for name, part in networks[1].state_dict().items()}
    shapes = [(1, network.resolution, network.resolution) for network in networks]
    frame = measure_latency(networks, (1, 2), image_shapes=shapes, n_rounds=2, min_seconds=0)
    assert (frame.filter(regex="(?<!spread)_ms") > 0).all(axis=None)
    assert networks[1].training
    torch.testing.assert_close(networks[1].state_dict(), state, rtol=0, atol=0)


def test_no_networks_no_rows():
    assert measure_latency([], (1, 64)).shape == (0, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_sizes": (0,)}, "'batch_sizes' parameter of measure_latency takes positive ints. Got 0"),
        ({"batch_sizes": ()}, "'batch_sizes' parameter of measure_latency must name different ones"),
        ({"batch_sizes": (4, 4)}, r"must name different ones, at least one. Got \(4, 4\)"),
        ({"n_rounds": 1.5}, "'n_rounds' parameter of measure_latency takes positive ints. Got 1.5"),
        ({"n_threads": True}, "'n_threads' parameter of measure_latency takes positive ints. Got True"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        measure_latency([Layers(1)], **arguments)


def test_a_network_of_unknown_resolution_is_named():
    with pytest.raises(InvalidInputError, match="'image_shapes' parameter .* network 0 has no 'resolution'"):
        measure_latency([nn.Identity()])
