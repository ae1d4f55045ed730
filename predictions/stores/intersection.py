"""Lists by several conditions at once, in bounded time, whatever the conditions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

MAX_SCANNED = 500  # ids of each condition per page
NIL = UUID(int=0)


@dataclass(frozen=True)
class Condition:
    """One condition of a list.

    `newest` holds the newest ids that meet it, all down to `end`; `having` returns which of some
    ids meet it.
    """

    newest: Sequence[UUID]
    end: UUID
    having: Callable[[Sequence[UUID]], set[UUID]]

    def select(self, ids: Sequence[UUID]) -> list[UUID]:
        older = [prediction_id for prediction_id in ids if prediction_id < self.end]
        met = {*self.newest, *(self.having(older) if older else ())}
        return [prediction_id for prediction_id in ids if prediction_id in met]


def end_of(newest: Sequence[UUID], limit: int) -> UUID:
    """Return down to which id a list is complete of which at most `limit` ids were read."""
    return newest[-1] if len(newest) >= limit else NIL


def intersect(conditions: Sequence[Condition], limit: int) -> tuple[list[UUID], UUID | None]:
    """Return the newest ids that meet all conditions, and the cursor of the next page.

    The rarest condition gives the candidates, the others are asked about these only. So a page is
    complete if any condition has at most `MAX_SCANNED` ids, and may otherwise be short.
    """
    rarest = min(conditions, key=lambda condition: (condition.end, len(condition.newest)))
    ids = list(rarest.newest)
    for condition in conditions:
        if condition is not rarest:
            ids = condition.select(ids)
    if len(ids) > limit:
        return ids[:limit], ids[limit - 1]
    return ids, rarest.end if rarest.end != NIL else None
