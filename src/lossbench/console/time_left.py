"""Estimates how long the trainings of a sweep will take yet, from those that have ended."""

from collections.abc import Hashable, Iterable, Sequence

from lossbench.console.stages import YARDSTICKS, Stage

# The first program takes so much longer than later ones: what TensorFlow loads at first use is loaded then.
FIRST = 1.5
# While networks are trained, later programs are compiled beside them, at this share of the speed of compiling alone.
BESIDE = 0.75
# The share of a program's time that a stage takes to begin whose programs are there.
ALREADY_THERE = 0.15
# What other groups let expect counts as much as so many trainings of a group's own.
AS_MANY = 5
# Halvings of a range in which the seconds of a program lie.
HALVINGS = 20
# The seconds of a yardstick before one has ended: of a linear model and a boosting, on some hundred rows.
YARDSTICK_SECONDS = 0.05


def seconds_left(stages: Sequence[Stage], begun: float, now: float) -> float | None:
    """Return the estimated seconds until all stages have ended; None before the first training has.

    Each stage takes the pace of those that have ended of its group, of its kind, or of all networks. What passes
    besides trainings is divided by the programs that were compiled meanwhile.

    Parameters
    ----------
    stages : sequence of Stage
        In the order in which they are worked at.
    begun, now : float
        When the process that trains was ready, and the present moment, in seconds since 1970.
    """
    ended = [stage for stage in stages if stage.n_done]
    if not any(stage.kind != YARDSTICKS for stage in ended) and any(stage.kind != YARDSTICKS for stage in stages):
        return None
    trainings = sum(stage.n_left * _pace(stage, ended) for stage in stages if stage.n_left)
    last = max((stage.last for stage in ended), default=now)
    busy = union((stage.first, stage.last) for stage in ended)
    besides = max(0.0, last - min([begun, *(stage.first for stage in ended)]) - busy)
    # Jobs of a launcher work at several stages at a time.
    at_a_time = max(1.0, sum(stage.seconds for stage in ended) / busy) if busy else 1.0
    of_a_program = _seconds_of_a_program(stages, besides)
    waits = sum(waited for stage, waited in _waits(stages, of_a_program, ended) if not stage.n_done)
    begin = sum(bool(stage.n_left and not stage.n_done) for stage in stages) * _excess_of_first(ended)
    left = (trainings + begin) / at_a_time + waits
    # Of what comes next, a part has passed.
    passed = min(now - last, of_a_program + left / max(1, sum(stage.n_left for stage in stages)))
    return max(0.0, left - max(0.0, passed))


def union(spans: Iterable[tuple[float, float]]) -> float:
    """Return the seconds that lie in any of some spans of time."""
    total, end = 0.0, float("-inf")
    for first, last in sorted(spans):
        total += max(0.0, last - max(first, end))
        end = max(end, last)
    return total


def _pace(stage: Stage, ended: list[Stage]) -> float:
    """Return the seconds that one of a stage's trainings takes, by those most like it that have ended."""
    alike = [other for other in ended if (other.kind, other.group) == (stage.kind, stage.group)]
    expected = _expected(stage, [other for other in ended if other not in alike])
    seconds, n_done = sum(other.seconds_after_first for other in alike), sum(other.n_done - 1 for other in alike)
    if expected is not None:
        return (seconds + AS_MANY * expected) / (n_done + AS_MANY)
    if n_done:
        return seconds / n_done
    # There are none but the first ones.
    return sum(other.seconds for other in alike) / len(alike) if alike else 0.0


def _expected(stage: Stage, others: list[Stage]) -> float | None:
    """Return what is expected of one of a stage's trainings by those of other groups; None if they do not tell."""
    if stage.kind == YARDSTICKS:
        return YARDSTICK_SECONDS
    known = [other for other in others if other.kind == stage.kind]
    known = known or [other for other in others if other.kind != YARDSTICKS]
    sizes = sum(other.size * (other.n_done - 1) for other in known)
    return stage.size * sum(other.seconds_after_first for other in known) / sizes if sizes else None


def _excess_of_first(ended: list[Stage]) -> float:
    """Return how much longer the first training of a stage takes than its later ones, on average."""
    known = [stage for stage in ended if stage.n_done > 1 and stage.kind != YARDSTICKS]
    more = [stage.first_end - stage.first - stage.seconds_after_first / (stage.n_done - 1) for stage in known]
    return max(0.0, sum(more) / len(more)) if more else 0.0


def _seconds_of_a_program(stages: Sequence[Stage], besides: float) -> float:
    """Return how long a program takes to compile alone, if those of the stages begun made them wait so long."""
    begun = [stage for stage in stages if stage.n_done]
    low, high = 0.0, besides
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        if sum(waited for _, waited in _waits(begun, middle, begun)) < besides:
            low = middle
        else:
            high = middle
    return high


def _waits(stages: Sequence[Stage], of_a_program: float, ended: list[Stage]) -> list[tuple[Stage, float]]:
    """Return how long each stage waits until it begins, if a program takes so many seconds to compile alone."""
    known: set[Hashable] = set()
    # Seconds of compiling that were done ahead.
    ahead = 0.0
    found: list[tuple[Stage, float]] = []
    for stage in sorted(stages, key=lambda stage: not stage.n_done):
        new = set(stage.programs) - known
        known |= new
        n_new = len(new) + (FIRST - 1.0 if new and not found else 0.0)
        needed = n_new * of_a_program
        found.append((stage, max(needed - ahead, ALREADY_THERE * of_a_program)))
        trains = stage.seconds + stage.n_left * _pace(stage, ended)
        ahead = max(0.0, ahead - needed) + BESIDE * trains
    return found
