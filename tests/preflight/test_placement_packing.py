"""The three verdicts about pods on nodes, against every placement and every order of small cases."""

from collections.abc import Iterator
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.placement_packing import Pods, always_fits, at_least, enough, nodes_for_any_order, packs

Vector = tuple[int, ...]


def room(free: Vector, request: Vector) -> bool:
    return all(have >= want for have, want in zip(free, request, strict=True))


def after(loads: tuple[Vector, ...], index: int, request: Vector) -> tuple[Vector, ...]:
    changed = tuple(have - want for have, want in zip(loads[index], request, strict=True))
    return tuple(sorted((*loads[:index], changed, *loads[index + 1 :])))


def next_states(loads: tuple[Vector, ...], request: Vector) -> Iterator[tuple[Vector, ...]]:
    return (after(loads, index, request) for index, free in enumerate(loads) if room(free, request))


def some_packing(capacity: Vector, nodes: int, pods: dict[Vector, int]) -> bool:
    items = tuple(one for one, count in sorted(pods.items(), reverse=True) for _ in range(count))

    @cache
    def place(loads: tuple[Vector, ...], index: int) -> bool:
        return index == len(items) or any(place(state, index + 1) for state in next_states(loads, items[index]))

    return place((capacity,) * nodes, 0)


def some_stuck_order(capacity: Vector, nodes: int, pods: dict[Vector, int]) -> bool:
    kinds = tuple(sorted(pods))

    @cache
    def stuck(loads: tuple[Vector, ...], left: Vector) -> bool:
        for index, count in enumerate(left):
            if count:
                states = set(next_states(loads, kinds[index]))
                fewer = (*left[:index], count - 1, *left[index + 1 :])
                if not states or any(stuck(state, fewer) for state in states):
                    return True
        return False

    return stuck((capacity,) * nodes, tuple(pods[one] for one in kinds))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Vector, int, dict[Vector, int]]:
    axes = draw(st.integers(1, 2))
    capacity = tuple(draw(st.integers(2, 8)) for _ in range(axes))
    requests = st.tuples(*(st.integers(1 if axis == 0 else 0, size) for axis, size in enumerate(capacity)))
    pods = draw(st.dictionaries(requests, st.integers(1, 3), min_size=1, max_size=3))
    return capacity, draw(st.integers(1, 3)), pods


@settings(max_examples=300, deadline=None)
@given(cases())
def test_packing_verdicts_agree_with_every_placement(case: tuple[Vector, int, dict[Vector, int]]) -> None:
    capacity, nodes, pods = case
    assert packs(capacity, nodes, pods) is some_packing(capacity, nodes, pods)


@settings(max_examples=300, deadline=None)
@given(cases())
def test_pods_said_to_fit_in_any_order_are_never_stuck(case: tuple[Vector, int, dict[Vector, int]]) -> None:
    capacity, nodes, pods = case
    if always_fits(capacity, nodes, pods) is None:
        assert not some_stuck_order(capacity, nodes, pods)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_bounds_enclose_the_fewest_nodes(case: tuple[Vector, int, dict[Vector, int]]) -> None:
    capacity, _, pods = case
    fewest = next(nodes for nodes in range(1, 20) if some_packing(capacity, nodes, pods))
    assert at_least(capacity, pods) <= fewest <= enough(capacity, pods)
    assert always_fits(capacity, nodes_for_any_order(capacity, pods), pods) is None


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 40), st.integers(1, 8))
def test_pods_of_one_size_fit_in_any_order_exactly_when_they_fit(size: int, cpu: int, count: int, nodes: int) -> None:
    capacity: Vector = (8, 8)
    pods: Pods = {(size, cpu): count}
    holds = nodes * min(8 // size, 8 // cpu) >= count
    assert packs(capacity, nodes, pods) is holds
    assert (always_fits(capacity, nodes, pods) is None) is holds


def test_whole_nodes_and_small_pods_fit_only_when_packed() -> None:
    pods: Pods = {(8,): 1, (1,): 4}
    assert packs((8,), 2, pods) is True
    assert always_fits((8,), 2, pods) == (8,)
    assert always_fits((8,), nodes_for_any_order((8,), pods), pods) is None


def test_pods_of_equal_gpus_and_unlike_cpu_fit_in_any_order() -> None:
    assert always_fits((8, 96), 2, {(4, 16): 2, (4, 12): 2}) is None


def test_three_of_eight_gpus_waste_two_on_each_node() -> None:
    assert packs((8,), 4, {(3,): 8, (1,): 1}) is True
    assert packs((8,), 4, {(3,): 9}) is False
    assert packs((8,), 4, {(3,): 8, (5,): 1}) is False


def test_thousands_of_pods_are_weighed_by_kind() -> None:
    pods: Pods = {(1 + index % 8, 100 + index): 50 for index in range(200)}
    assert packs((8, 10_000), 20_000, pods) is True
    assert packs((8, 10_000), 1_000, pods) is False
    assert always_fits((8, 10_000), 20_000, pods) is None
