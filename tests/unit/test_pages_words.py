"""Everything the pages say is there in both languages, and everything that has a name is called by it."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from broker.api.problems import CATALOGUE
from broker.model import Role, State, Status, Urgency
from broker.outcome import Seen
from broker.pages.html import templates
from broker.pages.words import ADVICE, PROBLEMS, WORDS, word
from broker.rules import labels
from broker.rules.labels import label
from broker.rules.sentences import LANGUAGES

PAGES = Path(__file__).resolve().parents[2] / "broker" / "pages"
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in (PAGES / "templates").glob("*.html"))
CODE = "\n".join(path.read_text(encoding="utf-8") for path in PAGES.glob("*.py") if path.name != "words.py")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_say_it():
    for key, (english, vietnamese) in WORDS.items():
        assert english.strip() == english != "", key
        assert vietnamese.strip() == vietnamese != "", key
        assert placeholders(english) == placeholders(vietnamese), key


def test_every_word_is_said_somewhere():
    for key in WORDS:
        made = re.fullmatch(r"done_(\w+)", key)
        assert f'"{key}"' in SOURCE + CODE or (made and f'"{made[1]}"' in SOURCE), key


@pytest.mark.parametrize("name", templates().list_templates())
def test_every_template_can_be_read(name: str):
    templates().get_template(name)


def test_templates_say_only_what_is_written():
    said = re.findall(r'\bt\("(\w+)"|"(\w+)"\|word\(', SOURCE)
    assert not {one or other for one, other in said if one != "done_"} - WORDS.keys()


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (labels.STATES, State),
        (labels.STATUSES, Status),
        (labels.ROLES, Role),
        (labels.URGENCIES, Urgency),
        (labels.PROOFS, Seen),
    ],
)
def test_everything_has_a_label(names: labels.Names, values: type[State]):
    assert set(names) == set(values)
    for value in values:
        assert all(label(names, value, language) for language in LANGUAGES)


def test_what_nobody_named_is_shown_as_it_is():
    assert label(labels.KINDS, "something_new", "en") == "something new"


def test_problems_are_those_that_are_raised():
    paths = [path for path in PAGES.parent.rglob("*.py") if path.name != "words.py"]
    broker = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    assert not [problem for problem in PROBLEMS if problem not in broker]


def test_advice_is_for_errors_there_are():
    assert ADVICE.keys() <= CATALOGUE.keys()
    assert all(len(advice) == len(LANGUAGES) for advice in ADVICE.values())


def test_words_take_their_arguments():
    assert word("goal_met", "vi", seconds="3,2") == "Đạt mục tiêu sau 3,2 giây."
