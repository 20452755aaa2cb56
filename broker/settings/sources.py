"""Where the configuration comes from: a TOML file and environment variables over it, merged by pydantic-settings."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from broker.errors import ConfigError

PREFIX = "LOA_"
DELIMITER = "__"
FROM_FILE = "_FILE"
CONFIG_VARIABLE = "LOA_CONFIG"
DEFAULT_PATH = Path("loa.toml")
NOT_SETTINGS = frozenset({CONFIG_VARIABLE, "LOA_URL", "LOA_KEY"})
"""Variables the command line reads for itself."""

Location = tuple[str | int, ...]
Table = dict[str, Any]


class Sections(BaseSettings):
    """The top level, for the library to merge; what is in the tables is read by `broker.settings.tree`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, extra="allow", hide_input_in_errors=True
    )

    server: Table = Field(default_factory=dict)
    store: Table = Field(default_factory=dict)
    agency: Table = Field(default_factory=dict)
    media: Table = Field(default_factory=dict)
    channels: Table = Field(default_factory=dict)
    routes: Table = Field(default_factory=dict)
    agencies: Table = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file and the variables over it."""

    path: Path
    file: Table
    variables: Mapping[str, str]
    """All `LOA_…` settings, those read from files under the name without `_FILE`."""
    read_from: Mapping[str, str] = field(default_factory=dict)
    """Which of them were read from files: the variable that named the file."""
    problems: tuple[str, ...] = ()
    """What is amiss with variables that could not be used."""

    def origin(self, location: Location) -> str:
        """Where the value at `location`, or else the table it belongs in, comes from: a variable, or the file."""
        for end in range(len(location), 0, -1):
            name = PREFIX + DELIMITER.join(str(part).upper() for part in location[:end])
            if name in self.variables:
                return f"variable {self.read_from.get(name, name)}"
            if _holds(self.file, location[:end]):
                break
            if inside := [variable for variable in self.variables if variable.startswith(name + DELIMITER)]:
                return f"variable {self.read_from.get(inside[0], inside[0])}"
        return str(self.path)

    def merged(self) -> Table:
        """Both as one table. Raises `ValidationError` if a section is no table."""
        file, variables = self.file, self.variables

        class Merged(Sections):
            @classmethod
            def settings_customise_sources(
                cls,
                settings_cls: type[BaseSettings],
                init_settings: PydanticBaseSettingsSource,
                env_settings: PydanticBaseSettingsSource,
                dotenv_settings: PydanticBaseSettingsSource,
                file_secret_settings: PydanticBaseSettingsSource,
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                return _Variables(settings_cls, variables), InitSettingsSource(settings_cls, file)

        return Merged().model_dump(exclude_unset=True)


def _holds(table: Any, location: Location) -> bool:
    try:
        for part in location:
            table = table[part]
    except (KeyError, IndexError, TypeError):
        return False
    return True


class _Variables(EnvSettingsSource):
    """Environment variables from a mapping; lists and tables are JSON, everything else stays text for the models."""

    def __init__(self, settings_cls: type[BaseSettings], variables: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self.env_vars = {name.lower(): _decoded(value) for name, value in variables.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        return value


def _decoded(text: str) -> Any:
    """A JSON list or table; other text as it is, because a page's id of digits must not become a number."""
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def source(path: Path | None, environment: Mapping[str, str]) -> Source:
    """The file (`path`, else LOA_CONFIG, else loa.toml) and the variables. Raises `ConfigError` if there is none."""
    path = path or Path(environment.get(CONFIG_VARIABLE) or DEFAULT_PATH)
    ours = {name.upper(): value for name, value in environment.items() if name.upper().startswith(PREFIX)}
    variables: dict[str, str] = {}
    read_from: dict[str, str] = {}
    problems = []
    for name in sorted(ours.keys() - NOT_SETTINGS):
        setting = name.removesuffix(FROM_FILE)
        if problem := _unusable(name, ours):
            problems.append(f"variable {name}: {problem}")
        elif name == setting:
            variables[name] = ours[name]
        else:
            read_from[setting] = name
            variables[setting] = Path(ours[name]).read_text(encoding="utf-8").strip()
    try:
        file = _read(path)
    except ValueError as error:
        raise ConfigError([f"{path}: {error}", *problems]) from None
    return Source(path=path, file=file, variables=variables, read_from=read_from, problems=tuple(problems))


def _read(path: Path) -> Table:
    """The file's table. Raises `ValueError` with what to do."""
    try:
        return tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError as error:
        what_to_do = f"`loa init` makes one; or name another with --config or {CONFIG_VARIABLE}"
        raise ValueError(f"there is no such file; {what_to_do}") from error
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"is no UTF-8 text (byte {error.start}): save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"is no TOML: {error}") from error


def _unusable(name: str, ours: Mapping[str, str]) -> str | None:
    """What is wrong with a variable before its value is looked at."""
    setting = name.removesuffix(FROM_FILE)
    if setting.removeprefix(PREFIX).partition(DELIMITER)[0].lower() not in Sections.model_fields:
        return f"nothing uses it; settings are named like {PREFIX}CHANNELS__FACEBOOK__TOKEN: correct or unset it"
    if name == setting:
        return None
    if setting in ours:
        return f"{setting} is set too: unset one of them"
    try:
        Path(ours[name]).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        return f"the file it names cannot be read: {getattr(error, 'strerror', None) or 'it is no UTF-8 text'}"
    return None
