"""`make accuracy`: scores the memory estimate against the measured start-ups, fitted and leaving the scored model out of the fit."""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks import memory_fit
from benchmarks.memory_rows import TABLE, Row, rows
from components.engines.vllm_memory import MemoryEstimate, estimate
from components.engines.vllm_overhead import Fit, constants, release

START, END = "<!-- accuracy: start (python -m benchmarks.accuracy --write) -->", "<!-- accuracy: end -->"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "memory.md"
WORST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One row with its two estimates: constants fitted to all rows, and to all rows of other models."""

    row: Row
    fitted: MemoryEstimate
    left_out: MemoryEstimate

    def error(self, figure: str, *, left_out: bool) -> float | None:
        """Relative error of `weights`, `kv`, `tokens` or `concurrency` in percent; None where the log doesn't give it."""
        row, got = self.row, self.left_out if left_out else self.fitted
        pairs: dict[str, tuple[float, float | None]] = {
            "weights": (got.weights_gib, row.weights),
            "kv": (got.kv_gib, row.kv),
            "tokens": (got.kv_tokens, row.tokens),
            "concurrency": (got.max_concurrency, row.concurrency),
        }
        value, measured = pairs[figure]
        return 100 * (value / measured - 1) if measured else None

    @property
    def right(self) -> bool:
        """Whether the verdict without this model's rows agrees with the documented outcome."""
        got = self.left_out
        starts = got.fits_weights and got.fits_context
        if self.row.outcome == "ok":
            return starts and got.warmup_ok
        return starts and not got.warmup_ok if "warming up sampler" in self.row.outcome else not starts


def score(table: Sequence[Row]) -> list[Score]:
    """Every row that can be estimated and has at least one figure or a documented outcome to compare."""
    fitted = memory_fit.fit(table)
    without = memory_fit.leave_one_out(table)
    return [
        Score(row=row, fitted=estimate(row.inputs, fitted), left_out=estimate(row.inputs, without[row.family]))
        for row in table
        if row.inputs and (row.weights or row.kv or row.tokens or row.concurrency)
    ]


def full_fit(table: Sequence[Row]) -> dict[str, float]:
    """The constants that the product ships: the fit to all rows, and the range that the left-out errors give."""
    inside = [one for one in score(table) if one.row.kv and not one.left_out.extrapolated]
    shares = [
        (one.left_out.kv_gib - (one.row.kv or 0)) / (one.left_out.budget_gib - one.left_out.kv_gib) for one in inside
    ]
    return {**memory_fit.fit(table), "kv_spread_share": memory_fit.spread(shares)}


def report(table: Sequence[Row]) -> str:
    """The tables of `docs/memory.md`, as Markdown."""
    scores = score(table)
    scored = {one.row.id for one in scores}
    targets = [one for one in scores if one.row.target]
    wanted = [row for row in table if row.target]
    lines = [
        f"{len(table)} measured start-ups, {len(scores)} scored. Of the {len(wanted)} on NVIDIA GPUs with vLLM 0.17 or later: "
        f"{len(targets)} scored ({100 * len(targets) / len(wanted):.0f} %).",
        "",
        "Mean absolute error in percent, fitted / leaving the scored model out of the fit (rows):",
        "",
        *_table(
            ["rows", "weights", "KV cache", "KV tokens", "concurrency"],
            [
                _line("**NVIDIA, 0.17 and later**", targets),
                _line("others (older vLLM)", [one for one in scores if not one.row.target]),
                *[_line(f"{gpu}, vLLM {version}", group) for (gpu, version), group in _groups(scores)],
            ],
        ),
        "",
        _outcomes(targets),
        "",
        _ranges(targets),
        "",
        f"The {WORST} worst rows by KV cache, the scored model left out:",
        "",
        *_table(
            ["row", "model", "where", "KV cache measured", "estimated", "error"],
            [_worst(one) for one in sorted(targets, key=lambda one: -abs(one.error("kv", left_out=True) or 0))[:WORST]],
        ),
        "",
        "Skipped:",
        "",
        *_table(["rows", "reason", "which"], _skipped(table, scored)),
    ]
    return "\n".join(lines)


def _groups(scores: Iterable[Score]) -> list[tuple[tuple[str, str], list[Score]]]:
    groups: dict[tuple[str, str], list[Score]] = {}
    for one in scores:
        version = ".".join(str(part) for part in release(one.row.version)[:2])
        groups.setdefault((one.row.gpu, version), []).append(one)
    return sorted(groups.items(), key=lambda item: (item[0][0], release(item[0][1])))


def _line(name: str, scores: Sequence[Score]) -> list[str]:
    return [
        f"{name} ({len(scores)})",
        *(_mean(scores, figure) for figure in ("weights", "kv", "tokens", "concurrency")),
    ]


def _mean(scores: Sequence[Score], figure: str) -> str:
    fitted = [abs(error) for one in scores if (error := one.error(figure, left_out=False)) is not None]
    left_out = [abs(error) for one in scores if (error := one.error(figure, left_out=True)) is not None]
    return f"{fmean(fitted):.2f} / {fmean(left_out):.2f} ({len(left_out)})" if left_out else "-"


def _outcomes(scores: Sequence[Score]) -> str:
    wrong = [one.row.id for one in scores if not one.right]
    failing = [one for one in scores if one.row.outcome != "ok"]
    right = sum(one.right for one in failing)
    text = f"Documented outcomes, the model left out: {len(scores) - len(wrong)} of {len(scores)} judged right"
    text += f", among them {right} of {len(failing)} failed start-ups ({', '.join(one.row.id for one in failing)})."
    return text + (f" Wrong: {', '.join(wrong)}." if wrong else "")


def _ranges(scores: Sequence[Score]) -> str:
    """Whether the printed range held, with the shipped constants."""
    text = []
    for name, extrapolated in (("inside the measurements", False), ("extrapolated", True)):
        pairs = [(one.row, estimate(one.row.inputs)) for one in scores if one.row.inputs and one.row.kv]
        found = [(row, got) for row, got in pairs if got.extrapolated == extrapolated]
        held = sum(got.kv_gib_low <= (row.kv or 0) <= got.kv_gib_high for row, got in found)
        text.append(f"{name} {held} of {len(found)}")
    return f"The printed range of the KV cache held the measured one: {', '.join(text)}."


def _worst(one: Score) -> list[str]:
    row, error = one.row, one.error("kv", left_out=True) or 0.0
    where = f"{row.gpu}, TP {row.tensor}, {row.version}"
    return [row.id, row.model, where, f"{row.kv or 0:.2f} GiB", f"{one.left_out.kv_gib:.2f} GiB", f"{error:+.1f} %"]


def _skipped(table: Iterable[Row], scored: set[str]) -> list[list[str]]:
    reasons: dict[str, list[Row]] = {}
    for row in table:
        if row.id not in scored:
            reasons.setdefault(row.skipped or "the log gives no figure to compare", []).append(row)
    count = Counter({reason: len(found) for reason, found in reasons.items()})
    return [
        [str(number), reason, ", ".join(f"{row.id} {row.model}" for row in reasons[reason])]
        for reason, number in count.most_common()
    ]


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *body)]


def page_with(text: str, page: str) -> str:
    """The page with the report between its markers. Raises ValueError when a marker is missing."""
    if START not in page or END not in page:
        raise ValueError(f"the page lacks the markers {START} and {END}")
    return f"{page.partition(START)[0]}{START}\n{text}\n{END}{page.partition(END)[2]}"


def differences(fitted: Fit, shipped: Fit) -> Mapping[str, tuple[float | None, float | None]]:
    """Constants that the fit gives otherwise than shipped: name to (fitted, shipped)."""
    names = fitted.keys() | shipped.keys()
    return {
        name: (fitted.get(name), shipped.get(name)) for name in sorted(names) if fitted.get(name) != shipped.get(name)
    }


def main() -> None:
    """Prints the report; --write also puts it into docs/memory.md; --fit prints the constants instead."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--fit", action="store_true", help="print the fitted constants as JSON")
    parser.add_argument("--write", action="store_true", help=f"also write the report into {PAGE.name}")
    given = parser.parse_args()
    if not TABLE.is_file():
        raise SystemExit(
            "accuracy: the measurements are absent: expected ../shared/facts/vllm_memory_measured.csv beside this repository"
        )
    table = rows()
    if given.fit:
        print(json.dumps(full_fit(table)))
        return
    print(report(table))
    if changed := differences(full_fit(table), constants()["fit"]):
        print("\nThe shipped constants differ from the fit:", changed)
    if given.write:
        PAGE.write_text(page_with(report(table), PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
