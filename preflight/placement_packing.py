"""Do pods fit on equal nodes: in no way, only when packed well, or in whatever order they come? Pure.

A request and a node's capacity are vectors over the same resources. Answers are sound: "no" and "always" are proved, and what
stays open within the bounded effort is None. Order matters because the scheduler places one pod at a time, never moves a running
one, and by default prefers the emptiest node (https://kubernetes.io/docs/reference/scheduling/config/, NodeResourcesFit with
LeastAllocated), which leaves the free GPUs spread over many nodes.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

Vector = tuple[int, ...]
Pods = Mapping[Vector, int]
"""Number of pods by request."""

_MOST_STEPS = 2_000
"""Steps of an exact search; beyond, the answer stays open."""
_MOST_KINDS = 64
"""Different requests that are weighed against each other; beyond, they are all taken for the largest."""
_MOST_SEARCHED_NODES = 200
_MOST_SUMS = 1024


def alike_per_node(capacity: Vector, request: Vector) -> int:
    """Pods of one size that one node holds."""
    return min((have // want for have, want in zip(capacity, request, strict=True) if want), default=1_000_000)


def at_least(capacity: Vector, pods: Pods) -> int:
    """Nodes below which no packing exists. Every pod must fit on an empty node.

    By resource: the sum; pods larger than 1/(k+1) of a node, of which k fit on one; and Martello and Toth's bound L2, by which large
    pods have nodes of their own and small ones fill what is left (Knapsack Problems, 1990, section 8.3).
    """
    bound = max((-(-count // alike_per_node(capacity, one)) for one, count in pods.items()), default=0)
    for axis, size in enumerate(capacity):
        items = [(one[axis], count) for one, count in pods.items() if one[axis]]
        bound = max(bound, _sum_bound(size, items), *(_share_bound(size, items, k) for k in range(1, 9)))
        for small in {0, *(item for item, _ in items if 2 * item <= size)} if len(items) <= _MOST_KINDS else {0}:
            bound = max(bound, _large_bound(size, items, small))
    return bound


def _sum_bound(size: int, items: Sequence[tuple[int, int]]) -> int:
    total = sum(item * count for item, count in items)
    return -(-total // size) if total else 0


def _share_bound(size: int, items: Sequence[tuple[int, int]], share: int) -> int:
    return -(-sum(count for item, count in items if item * (share + 1) > size) // share)


def _large_bound(size: int, items: Sequence[tuple[int, int]], small: int) -> int:
    alone = sum(count for item, count in items if item > size - small)
    large = [(item, count) for item, count in items if 2 * item > size and item <= size - small]
    nodes = sum(count for _, count in large)
    left = nodes * size - sum(item * count for item, count in large)
    rest = sum(item * count for item, count in items if small <= item and 2 * item <= size)
    return alone + nodes + max(0, -(-(rest - left) // size))


def enough(capacity: Vector, pods: Pods) -> int:
    """Nodes that a packing was found for: the best of first fit with the largest first, by each resource and by the largest share."""
    return min(_first_fits(capacity, pods))


def _first_fits(capacity: Vector, pods: Pods) -> Iterator[int]:
    def share(one: Vector) -> Fraction:
        return max(Fraction(a, b) for a, b in zip(one, capacity, strict=True))

    yield _first_fit(capacity, pods, sorted(pods, key=share, reverse=True))
    for axis in range(len(capacity)) if len(pods) <= _MOST_KINDS else ():
        yield _first_fit(capacity, pods, sorted(pods, key=lambda one, axis=axis: (one[axis], one), reverse=True))


def _first_fit(capacity: Vector, pods: Pods, order: Sequence[Vector]) -> int:
    rooms: dict[Vector, int] = {}  # what is free on a node, and the number of such nodes
    used = 0
    smallest = tuple(min(one[axis] for one in order) for axis in range(len(capacity)))
    for request in order:
        count, opened = pods[request], []
        for free, nodes in list(rooms.items()):
            each = alike_per_node(free, request) if count else 0
            if each:
                full, rest = divmod(min(count, each * nodes), each)
                count -= full * each + rest
                rooms[free] -= full + bool(rest)
                opened += [(_minus(free, request, each), full), (_minus(free, request, rest), bool(rest))]
        each = alike_per_node(capacity, request)
        full, rest = divmod(count, each)
        used += full + bool(rest)
        opened += [(_minus(capacity, request, each), full), (_minus(capacity, request, rest), bool(rest))]
        for free, nodes in opened:
            rooms[free] = rooms.get(free, 0) + nodes
        rooms = {free: nodes for free, nodes in rooms.items() if nodes and alike_per_node(free, smallest)}
    return used


def _minus(free: Vector, request: Vector, times: int) -> Vector:
    return tuple(have - want * times for have, want in zip(free, request, strict=True))


def packs(capacity: Vector, nodes: int, pods: Pods) -> bool | None:
    """Some packing exists on so many nodes; None where that stayed open."""
    if impossible(capacity, nodes, pods):
        return False
    return True if any(found <= nodes for found in _first_fits(capacity, pods)) else _searched(capacity, nodes, pods)


def impossible(capacity: Vector, nodes: int, pods: Pods) -> bool:
    """It is proved that no packing exists."""
    if any(not alike_per_node(capacity, one) for one in pods) or at_least(capacity, pods) > nodes:
        return True
    if not pods or len(pods) > _MOST_KINDS or nodes > _MOST_SEARCHED_NODES:
        return False
    return all(found > nodes for found in _first_fits(capacity, pods)) and _searched(capacity, nodes, pods) is False


def _searched(capacity: Vector, nodes: int, pods: Pods) -> bool | None:
    if nodes > _MOST_SEARCHED_NODES or len(pods) > _MOST_KINDS:
        return None
    kinds = tuple(sorted(pods, reverse=True))
    return _Search(capacity, kinds).fits(tuple(pods[one] for one in kinds), nodes)


class _Search:
    """Fills one node after the other with every combination that leaves no room for another pod."""

    def __init__(self, capacity: Vector, kinds: tuple[Vector, ...]) -> None:
        self._capacity, self._kinds = capacity, kinds
        self._steps = 0
        self._failed: set[tuple[Vector, int]] = set()

    def fits(self, counts: Vector, nodes: int) -> bool | None:
        if not any(counts):
            return True
        if not nodes or (counts, nodes) in self._failed:
            return False
        if at_least(self._capacity, {one: n for one, n in zip(self._kinds, counts, strict=True) if n}) > nodes:
            return False
        first = next(index for index, count in enumerate(counts) if count)
        for pattern in self._patterns(self._capacity, counts, first, required=True):
            self._steps += 1
            if self._steps > _MOST_STEPS:
                return None
            answer = self.fits(tuple(a - b for a, b in zip(counts, pattern, strict=True)), nodes - 1)
            if answer is not False:
                return answer
        self._failed.add((counts, nodes))
        return False

    def _patterns(self, free: Vector, counts: Vector, index: int, *, required: bool = False) -> Iterator[Vector]:
        if index == len(counts):
            yield (0,) * index
            return
        most = min(counts[index], alike_per_node(free, self._kinds[index]))
        for number in range(most, 0 if required else -1, -1):
            left = _minus(free, self._kinds[index], number)
            for rest in self._patterns(left, counts, index + 1):
                # What is left out must not fit any more: a fuller node is never worse.
                if number == counts[index] or not alike_per_node(_minus(left, self._load(rest), 1), self._kinds[index]):
                    yield (*rest[:index], number, *rest[index + 1 :])

    def _load(self, pattern: Vector) -> Vector:
        axes = range(len(self._capacity))
        return tuple(sum(n * kind[axis] for n, kind in zip(pattern, self._kinds, strict=True)) for axis in axes)


def always_fits(capacity: Vector, nodes: int, pods: Pods) -> Vector | None:
    """None where every pod finds a node whatever the order and the choice of nodes; else a request that may not."""
    if len(pods) > _MOST_KINDS:
        pods = _alike(capacity, pods)
    for one in sorted(pods, reverse=True):
        # The exact loads are dear, and seldom needed.
        if most_blocked(capacity, pods, one, exact=False) >= nodes and most_blocked(capacity, pods, one) >= nodes:
            return one
    return None


def nodes_for_any_order(capacity: Vector, pods: Pods) -> int:
    """Nodes with which `always_fits` holds."""
    if len(pods) > _MOST_KINDS:
        pods = _alike(capacity, pods)
    return 1 + max(most_blocked(capacity, pods, one) for one in pods)


def _alike(capacity: Vector, pods: Pods) -> Pods:
    """All pods as large as the largest in each resource: what fits in any order then, fits as it is."""
    return {tuple(max(one[axis] for one in pods) for axis in range(len(capacity))): sum(pods.values())}


def most_blocked(capacity: Vector, pods: Pods, request: Vector, *, exact: bool = True) -> int:
    """Nodes at most on which the other pods can leave no room for one pod of `request`.

    Each pod gets a weight such that the pods of any blocked node weigh 1 or more: the largest of its shares in the least load that
    blocks by some resource. All weights together bound the number of blocked nodes. `exact` counts only loads that sums of requests
    can be.
    """
    others = {one: count - (one == request) for one, count in pods.items()}
    least: list[int | None] = []
    for axis, size in enumerate(capacity):
        wanted = size - request[axis] + 1
        sizes = {one[axis] for one, count in others.items() if count} if exact else set()
        least.append(_least_load(sizes, wanted, size) if exact else (wanted if request[axis] else None))
    total = Fraction(0)
    for one, count in others.items():
        total += count * max((Fraction(one[axis], load) for axis, load in enumerate(least) if load), default=0)
    return int(total)


def _least_load(sizes: set[int], wanted: int, capacity: int) -> int | None:
    """The least sum of sizes, each any number of times, between `wanted` and `capacity`; None where there is none."""
    steps = sorted(size for size in sizes if size)
    sums, edge, best = {0}, [0], None
    while edge:
        grown = set()
        for start in edge:
            for step in steps:
                total = start + step
                if total > capacity:
                    break
                if total >= wanted:
                    best = total if best is None else min(best, total)
                elif total not in sums:
                    sums.add(total)
                    grown.add(total)
        if len(sums) > _MOST_SUMS:
            return max(wanted, 1)
        edge = sorted(grown)
    return best
