"""``check("name", answer)``: is an exercise's answer right? What judges it is in ``exercises/``."""

from .exercises.judging import check

__all__ = ["check"]
