#!/usr/bin/env python3
"""Reproduces the figures of ebb's statistics without a line of ebb's code.

Reads the JSON that `cargo run --package ebb-insights --example figures` prints: a list of cases, each with its data and
our figures. Everything that is not random must agree to 1e-9 (relative above 1, else absolute); what is drawn at random,
within 4.5 standard errors of drawing. A figure that nothing here reads is a failure.

The formulas are taken from the documents of the crate, not from its code: quantiles from NumPy ("linear", which is
definition 7 of Hyndman & Fan), drift from NumPy's polynomials, Welch's t from SciPy, the difference within spans from a least-squares fit by statsmodels with a
sandwich covariance, autocorrelations from statsmodels, the moving-block bootstrap from arch where there is one span. Doses,
dose phase, 3TUG and nights are reckoned by their definitions, on all pairs, without the tricks that make ebb quick.
"""

import collections
import datetime
import json
import math
import sys

import numpy as np
import statsmodels.api as sm
from arch.bootstrap import MovingBlockBootstrap
from scipy import stats
from statsmodels.tsa.stattools import acf

EXACT = 1e-9
DEVIATIONS = 4.5
LEVEL = 0.95


class Mismatch(Exception):
    """A figure that does not reproduce."""


class Figures:
    """Our figures of one case; counts those compared, and remembers those not read."""

    def __init__(self, values):
        self.values = values
        self.unread = set(values)
        self.compared = collections.Counter()
        self.worst = 0.0

    def ours(self, name):
        self.unread.discard(name)
        return self.values[name]

    def exact(self, name, theirs):
        ours = self.ours(name)
        if ours is None or theirs is None:
            if ours is not theirs:
                raise Mismatch(f"{name}: ours {ours}, theirs {theirs}")
        elif isinstance(ours, list):
            self.exact_list(name, ours, list(theirs))
        else:
            distance = abs(ours - theirs) / max(1.0, abs(theirs))
            if not distance <= EXACT:
                raise Mismatch(f"{name}: ours {ours!r}, theirs {theirs!r}")
            self.worst = max(self.worst, distance)
            self.compared["exact"] += 1

    def exact_list(self, name, ours, theirs):
        if len(ours) != len(theirs):
            raise Mismatch(f"{name}: ours has {len(ours)}, theirs {len(theirs)}")
        for index, (mine, other) in enumerate(zip(ours, theirs)):
            item = Figures({f"{name}[{index}]": mine})
            item.exact(f"{name}[{index}]", other)
            self.absorb(item)

    def random(self, name, theirs, error):
        ours = self.ours(name)
        if not abs(ours - theirs) <= DEVIATIONS * error:
            raise Mismatch(f"{name}: ours {ours!r}, theirs {theirs!r}, standard error {error:.2g}")
        self.compared["random"] += 1

    def absorb(self, other):
        self.compared += other.compared
        self.worst = max(self.worst, other.worst)

    def nested(self, name):
        return Figures(self.ours(name))

    def finish(self):
        if self.unread:
            raise Mismatch(f"no check reads {sorted(self.unread)}")


def numbers(values):
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def check_quartiles(figures, values):
    figures.exact("n", len(values))
    figures.exact("mean", math.fsum(values) / len(values))
    figures.exact("median", np.median(values))
    lower, upper = np.quantile(values, [0.25, 0.75], method="linear")
    figures.exact("lower", lower)
    figures.exact("upper", upper)
    figures.exact("iqr", stats.iqr(values, interpolation="linear"))


def summary(case, figures):
    values = numbers(case["values"])
    check_quartiles(figures, values)
    figures.exact("quantiles", np.quantile(values, case["shares"], method="linear"))


def correlation(case, figures):
    values = numbers(case["values"])
    lags = len(figures.ours("autocorrelation")) - 1
    figures.exact("autocorrelation", acf(values, nlags=lags, adjusted=True, missing="conservative", fft=False))
    figures.exact("answered", int(np.count_nonzero(~np.isnan(values))))
    figures.exact("share", np.mean(~np.isnan(values)))


def presence(case, figures):
    measured, logged = numbers(case["measured"]), numbers(case["logged"])
    present = np.flatnonzero(~np.isnan(logged))
    inside = np.arange(len(logged))
    inside = (inside >= present[0]) & (inside <= present[-1])
    check_groups(figures, "with_and_without", measured, inside, ~np.isnan(logged))
    gap = np.isnan(logged) & inside
    beside = np.append(gap[1:], False) | np.insert(gap[:-1], 0, False)
    check_groups(figures, "beside_gaps", logged, inside, beside)


def check_groups(figures, name, values, inside, group):
    known = inside & ~np.isnan(values)
    nested = figures.nested(name)
    for side, chosen in (("with", known & group), ("without", known & ~group)):
        quartiles = nested.nested(side)
        check_quartiles(quartiles, values[chosen])
        quartiles.finish()
        nested.absorb(quartiles)
    nested.exact("difference", values[known & group].mean() - values[known & ~group].mean())
    nested.finish()
    figures.absorb(nested)


def without_drift(outcome):
    """Takes the straight line of least squares out, around its middle."""
    days = np.arange(len(outcome))
    known = ~np.isnan(outcome)
    if known.sum() < 3:
        return outcome
    slope = np.polynomial.polynomial.polyfit(days[known], outcome[known], 1)[1]
    return outcome - slope * (days - days[known].mean())


class Question:
    """One question laid out by days: side (1 with, 0 without, NaN unknown) and outcome, within the spans."""

    def __init__(self, factor, outcome, spans, first):
        values = numbers(factor["values"])
        known = values[~np.isnan(values)]
        if factor["at_least"] is None:
            there = values > np.median(known)
        else:
            there = values >= factor["at_least"]
        # The median is that of all days; the layout begins with the first outcome and ends with the last.
        side = np.where(np.isnan(values), np.nan, there.astype(float))[first : first + len(outcome)]
        self.spans, self.recorded = spans, outcome
        self.outcome = np.concatenate([without_drift(outcome[start:end]) for start, end in spans])
        self.side = np.full(len(outcome), np.nan)
        for start, end in spans:
            self.side[start + factor["lag"] : end] = side[start : end - factor["lag"]]

    def paired(self):
        return ~np.isnan(self.side) & ~np.isnan(self.outcome)

    def span_of_days(self):
        return np.concatenate([np.full(end - start, index) for index, (start, end) in enumerate(self.spans)])


def fit(question):
    """Difference, standard error, t, degrees of freedom, and each day's pull, from a regression with one level per span."""
    paired = question.paired()
    side, y, span = question.side[paired], question.outcome[paired], question.span_of_days()[paired]
    dummies = np.column_stack([span == index for index in np.unique(span)]).astype(float)
    x = np.column_stack([side, dummies])
    model = sm.OLS(y, x).fit()
    cells = np.array([y[(span == s) & (side == w)].mean() for s, w in zip(span, side)])
    bread = np.linalg.inv(x.T @ x)
    parts, freedoms = [], []
    for which in (0.0, 1.0):
        chosen = side == which
        freedom = chosen.sum() - len(np.unique(span[chosen]))
        variance = ((y - cells)[chosen] ** 2).sum() / freedom
        parts.append((bread @ (x[chosen].T * variance) @ x[chosen] @ bread)[0, 0])
        freedoms.append(freedom)
    error = math.sqrt(sum(parts))
    freedom = sum(parts) ** 2 / sum(part**2 / free for part, free in zip(parts, freedoms))
    partial = sm.OLS(side, dummies).fit().resid
    pull = np.full(len(paired), np.nan)
    pull[paired] = partial * (y - cells)
    return model.params[0], error, model.params[0] / error, freedom, pull


def check_fit(figures, question):
    difference, error, t, freedom, pull = fit(question)
    figures.exact("difference", difference)
    figures.exact("error", error)
    figures.exact("t", t)
    figures.exact("freedom", freedom)
    if len(question.spans) == 1:
        chosen = question.paired()
        groups = [question.outcome[chosen & (question.side == which)] for which in (1.0, 0.0)]
        welch = stats.ttest_ind(*groups, equal_var=False)
        for name, theirs in (("t", welch.statistic), ("freedom", welch.df)):
            figures.exact(name, theirs)
    return t, pull


def span_figures(question):
    for start, end in question.spans:
        row = []
        for which in (1.0, 0.0):
            chosen = question.paired()[start:end] & (question.side[start:end] == which)
            values = question.recorded[start:end][chosen]
            row += [len(values), values.mean() if len(values) else None]
        yield row


def cells_of_turns(question, start, end):
    """Count, sum and sum of squares of both sides for every turn of one span: turn × side × 3."""
    side, outcome = question.side[start:end], question.outcome[start:end]
    table = []
    for turn in range(end - start):
        turned = np.roll(outcome, -turn)
        groups = [turned[(side == which) & ~np.isnan(turned)] for which in (0.0, 1.0)]
        table.append([[len(group), group.sum(), (group**2).sum()] for group in groups])
    return np.array(table)


def every_t(question):
    """|t| for every combination of turns of all spans; the first is the recorded order. NaN where it is undefined."""
    tables = [cells_of_turns(question, start, end) for start, end in question.spans]
    grid = np.meshgrid(*[np.arange(len(table)) for table in tables], indexing="ij")
    total = weighted = 0.0
    squares, freedom, weights = np.zeros((2, grid[0].size)), np.zeros((2, grid[0].size)), np.zeros((2, grid[0].size))
    with np.errstate(divide="ignore", invalid="ignore"):
        for table, turns in zip(tables, grid):
            n, sums, of_squares = (table[turns.ravel()][:, :, part].T for part in range(3))
            both = (n > 0).all(axis=0)
            weight = np.where(both, 1 / (1 / n[0] + 1 / n[1]), 0.0)
            mean = sums / n
            total = total + weight
            weighted = weighted + np.where(both, weight * (mean[1] - mean[0]), 0.0)
            squares += np.where(both, of_squares - n * mean**2, 0.0)
            freedom += np.where(both, n - 1, 0.0)
            weights += np.where(both, weight**2 / n, 0.0)
        variance = (weights * squares / freedom).sum(axis=0)
        return np.abs(weighted) / np.sqrt(variance)


def check_p(case, checked, observed, questions):
    largest = np.fmax.reduce([every_t(question) for question in questions])
    for figures, t, question in zip(checked, observed, questions):
        every = every_t(question)
        if abs(every[0] - abs(t)) > 1e-9:
            raise Mismatch(f"the recorded order has |t| {every[0]}, the regression {t}")
        p = np.mean(largest >= abs(t) * (1 - 1e-9))
        if case["drawn"]:
            figures.random("adjusted_p", p, math.sqrt(p * (1 - p) / case["turns"]) + 1 / case["turns"])
        else:
            if case["turns"] != len(largest):
                raise Mismatch(f"turns: ours {case['turns']}, theirs {len(largest)}")
            figures.exact("adjusted_p", p)


def block_length(pull):
    """Politis & White for overlapping blocks, (2 G² / D)^⅓ days^⅓, the sums taken over a first-order autoregression."""
    rho = acf(pull, nlags=1, adjusted=True, missing="conservative", fft=False)[1]
    rho = min(max(rho, 0.0), 0.97)
    lags = np.arange(-3000, 3001)
    covariance = rho ** np.abs(lags)
    g, d = (np.abs(lags) * covariance).sum(), 4 / 3 * covariance.sum() ** 2
    length = math.ceil((2 * g * g / d) ** (1 / 3) * len(pull) ** (1 / 3) - 1e-9)
    return min(max(length, 1), len(pull) // 4)


def within(side, outcome, spans):
    """The difference within spans; NaN if none has both sides."""
    total = weighted = 0.0
    for start, end in spans:
        days = ~np.isnan(outcome[start:end])
        ones = outcome[start:end][days & (side[start:end] == 1.0)]
        zeros = outcome[start:end][days & (side[start:end] == 0.0)]
        if len(ones) and len(zeros):
            weight = len(ones) * len(zeros) / (len(ones) + len(zeros))
            total, weighted = total + weight, weighted + weight * (ones.mean() - zeros.mean())
    return weighted / total if total else np.nan


def resampled(question, block, replicates):
    if len(question.spans) == 1:
        bootstrap = MovingBlockBootstrap(block, question.side, question.outcome, seed=11)
        return bootstrap.apply(lambda side, outcome: within(side, outcome, question.spans), replicates)[:, 0]
    random = np.random.default_rng(11)
    differences = []
    for _ in range(replicates):
        days = []
        for start, end in question.spans:
            length = min(block, end - start)
            count = -(-(end - start) // length)
            starts = random.integers(start, end - length + 1, size=count)
            days.append((starts[:, None] + np.arange(length)).ravel()[: end - start])
        days = np.concatenate(days)
        differences.append(within(question.side[days], question.outcome[days], question.spans))
    return np.array(differences)


def check_interval(figures, question, pull, replicates):
    block = block_length(pull)
    figures.exact("block", block)
    differences = resampled(question, block, replicates // 4)
    differences = differences[~np.isnan(differences)]
    # An end of ours, looked up among theirs, must stand where it should, within the error of both drawings.
    for name, share in (("low", (1 - LEVEL) / 2), ("high", (1 + LEVEL) / 2)):
        error = math.sqrt(share * (1 - share) * (1 / len(differences) + 1 / replicates))
        rank = np.mean(differences <= figures.ours(name))
        Figures({name: rank}).random(name, share, error)
        figures.compared["random"] += 1


def questions(case, figures):
    outcome = numbers(case["outcome"])
    present = np.flatnonzero(~np.isnan(outcome))
    first, last = present[0], present[-1]
    cuts = sorted({0, last - first + 1} | {cut - first for cut in case["changes"] if first < cut <= last})
    spans = list(zip(cuts, cuts[1:]))
    laid_out, observed, checked = [], [], []
    for factor, ours in zip(case["factors"], case["figures"]):
        question = Question(factor, outcome[first : last + 1], spans, first)
        part = Figures(ours)
        t, pull = check_fit(part, question)
        part.exact("spans", [list(row) for row in span_figures(question)])
        check_interval(part, question, pull, case["replicates"])
        laid_out, observed, checked = laid_out + [question], observed + [t], checked + [part]
    check_p(case, checked, observed, laid_out)
    for part in checked:
        part.finish()
        figures.absorb(part)


def doses(case, figures):
    """Every dose against every other, by the definition; nothing is sorted but the answer."""
    times, amounts = np.array(case["times"]), np.array(case["amounts"])
    rolling = [amounts[(times <= at) & (times > at - 86400)].sum() for at in times]
    order = np.argsort(times, kind="stable")
    figures.exact("rolling", np.array(rolling)[order])
    for name, values in (("largest_day", np.array(rolling)), ("largest_single", amounts)):
        figures.exact(name, [times[values == values.max()].min(), values.max()])
    figures.exact("gaps", np.diff(np.unique(times)))
    figures.exact("late", (times - np.array(case["planned"])) / 60)


def phase(case, figures):
    taken = np.array(case["doses"])
    bins, before, beyond = collections.defaultdict(list), 0, 0
    for at, value in case["readings"]:
        earlier = taken[taken <= at]
        since = at - earlier.max() if len(earlier) else None
        if since is None:
            before += 1
        elif since > 86400:
            beyond += 1
        else:
            bins[since // 1800].append(value)
    figures.exact("before", before)
    figures.exact("beyond", beyond)
    ours = figures.ours("bins")
    if len(ours) != len(bins):
        raise Mismatch(f"bins: ours has {len(ours)}, theirs {len(bins)}")
    for mine, place in zip(ours, sorted(bins)):
        half_hour = Figures(mine)
        half_hour.exact("minutes", int(place) * 30)
        readings = half_hour.nested("readings")
        check_quartiles(readings, bins[place])
        for part in (readings, half_hour):
            part.finish()
            figures.absorb(part)


def laps(case, figures):
    tests = np.array(case["tests"])
    means = tests.mean(axis=1)
    baseline = np.median(means[:3])
    figures.exact("sum", tests.sum(axis=1))
    figures.exact("mean", means)
    figures.exact("last_to_first", tests[:, 2] / tests[:, 0])
    figures.exact("baseline", baseline)
    figures.exact("change", (means / baseline - 1) * 100)


class Night:
    """One night of a diary in minutes; what was not answered, or skipped, is not a number."""

    def __init__(self, fields):
        at = {name: datetime.datetime.fromisoformat(fields[name]) for name in TIMES if name in fields}
        minutes = {name: at[name].timestamp() / 60 if name in at else math.nan for name in TIMES}
        number = lambda name: fields[name] if isinstance(fields.get(name), int) else math.nan
        self.latency, self.after = number("latency_min"), number("trying_after_min")
        self.awake = 0 if fields.get("awakenings") == 0 and "awake_min" not in fields else number("awake_min")
        self.tib = minutes["out_of_bed"] - minutes["in_bed"]
        self.trying = minutes["final_wake"] - minutes["tried_to_sleep"]
        self.tst = self.trying - self.latency - self.awake
        self.se_tib = self.tst / self.tib
        self.se_dse = self.tst / (self.latency + self.tst + self.awake + self.after)
        wake = at.get("final_wake")
        self.mid_sleep = math.nan
        if wake:
            fell_asleep = wake.hour * 60 + wake.minute - self.trying + self.latency
            self.mid_sleep = (fell_asleep + wake.hour * 60 + wake.minute) / 2


TIMES = ("in_bed", "tried_to_sleep", "final_wake", "out_of_bed")


def nights(case, figures):
    all_nights = [Night(fields) for fields in case["nights"]]
    for name, unit in (("tib", 60), ("tst", 60), ("se_tib", 1), ("se_dse", 1), ("mid_sleep", 1)):
        values = [getattr(night, name) / unit for night in all_nights]
        figures.exact(name, [None if math.isnan(value) else value for value in values])
    figures.exact("regularity", np.nanstd([night.mid_sleep for night in all_nights], ddof=1))


KINDS = {
    "summary": summary,
    "correlation": correlation,
    "presence": presence,
    "questions": questions,
    "doses": doses,
    "phase": phase,
    "laps": laps,
    "nights": nights,
}


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: insights.py FIGURES")
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    failed, compared, worst = [], collections.Counter(), 0.0
    for index, case in enumerate(cases):
        ours = case["figures"]
        figures = Figures({} if isinstance(ours, list) else ours)
        try:
            KINDS[case["kind"]](case, figures)
            figures.finish()
        except Exception as reason:  # shown with its place, and the next one is checked all the same
            failed.append(f"case {index}, {case.get('kind')}: {type(reason).__name__}: {reason}")
        compared += figures.compared
        worst = max(worst, figures.worst)
    for line in failed:
        print(line, file=sys.stderr)
    print(
        f"{len(cases)} cases: {compared['exact']} figures agree to 1e-9 (worst {worst:.1e}), "
        f"{compared['random']} within the error of drawing; {len(failed)} cases failed"
    )
    sys.exit(1 if failed or not compared["exact"] or not compared["random"] else 0)


if __name__ == "__main__":
    main()
