"""What is wrong with the configuration, in sentences that name the key, say what to do and where it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args

from pydantic import BaseModel, ValidationError

from broker.errors import ConfigError
from broker.rules.routes import meant
from broker.settings.sources import Location, Source

TELLING: Mapping[str, str] = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a table",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "missing": "is missing: add it",
    "model_type": "must be a table",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_type": "must be text: put it in quotes",
    "time_delta_parsing": 'is no time: write it like "15s", "10m" or "3h"',
    "time_delta_type": 'is no time: write it like "15s", "10m" or "3h"',
    "tuple_type": 'must be a list, such as ["zalo", "telegram"] (also in a variable)',
    "frozen_set_type": 'must be a list, such as ["send", "read"] (also in a variable)',
}
"""Our words for pydantic's kinds of error; others keep pydantic's message, which never shows the value."""


FORMS: Mapping[str, str] = {
    "^https?://": "is no web address: write it like https://tin.example",
    r"^\d+$": "is no number of an account: write its digits only",
}
"""By the beginning of a pattern that a text must have."""
_MANNERS = re.compile(r"^(Value error, |(Input|String|Value) (?=should ))")


class Problems:
    """Collects all problems of one configuration. `hidden`: leading keys that a flat file does not write."""

    def __init__(self, source: Source, hidden: Location = ()) -> None:
        self._source, self._hidden = source, hidden
        self.found = list(source.problems)

    def add(self, location: Location, problem: str) -> None:
        written = location[len(self._hidden) :] if location[: len(self._hidden)] == self._hidden else location
        self.found.append(f"{_dotted(written)}: {problem} ({self._source.origin(written)})")

    def error(self) -> ConfigError:
        return ConfigError(self.found)

    def add_all(self, error: ValidationError, model: type[BaseModel], at: Location = ()) -> None:
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            inner = tuple(part for part in one["loc"] if part != "[key]")
            told = _told(one["type"], one["msg"], inner, model)
            if inner:
                self.add((*at, *inner), told)
            else:
                self.add_said(told, model, at)

    def add_said(self, problem: str, model: type[BaseModel], at: Location) -> None:
        """What was said of a whole table; where it begins with a key (`secret: …`), it is about that one."""
        key, _, rest = problem.partition(": ")
        if rest and key in model.model_fields:
            self.add((*at, key), rest)
        else:
            self.add(at, problem)


def _told(kind: str, message: str, location: Location, model: type[BaseModel]) -> str:
    if kind == "extra_forbidden":
        return f"unknown key{meant(str(location[-1]), _keys(model, location[:-1]))}"
    if kind == "string_pattern_mismatch":
        return next((told for pattern, told in FORMS.items() if f"'{pattern}" in message), _MANNERS.sub("", message))
    return TELLING.get(kind) or _MANNERS.sub("", message)


def _keys(annotation: object, location: Location) -> list[str]:
    """Keys of the table at `location`, found along the models' annotations."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not location:
            return list(annotation.model_fields)
        field = annotation.model_fields.get(str(location[0]))
        return _keys(field.annotation, location[1:]) if field else []
    return next((keys for inner in get_args(annotation) if (keys := _keys(inner, location[1:]))), [])


def _dotted(location: Location) -> str:
    text = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".") or "the configuration"
