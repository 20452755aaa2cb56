"""From templates to HTML: everything is escaped, and a name that nobody gave is an error."""

from __future__ import annotations

from functools import cache, partial
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from broker.pages.words import advised, translated, word
from broker.rules import labels
from broker.rules.labels import label
from broker.rules.sentences import called


@cache
def templates() -> Environment:
    """The templates of this package; what states and the like are called comes by filters that take the language."""
    made = Environment(
        loader=PackageLoader("broker.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    named = {
        "state": labels.STATES,
        "status": labels.STATUSES,
        "health": labels.HEALTH,
        "role": labels.ROLES,
        "urgency": labels.URGENCIES,
        "proof": labels.PROOFS,
        "kind": labels.KINDS,
    }
    made.filters |= {name: _labelled(names) for name, names in named.items()}
    made.filters |= {"called": called, "word": word, "advised": advised, "translated": translated}
    return made


def _labelled(names: labels.Names) -> partial[str]:
    return partial(label, names)


def static(name: str) -> str:
    """A file of this package that is given out as it is."""
    return (files("broker.pages") / "static" / name).read_text(encoding="utf-8")
