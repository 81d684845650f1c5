"""Options that many verbs share."""

import argparse
from collections.abc import Callable, Iterable
from typing import Any

from muniment.settings import BY_NAME, Settings, read_settings

Verbs = Any
"""argparse's own collection of sub-parsers, whose type it keeps to itself."""


def add_verb(
    verbs: Verbs, name: str, run: Callable[[argparse.Namespace], Any], doc: str, *, settings: Iterable[str] = ()
) -> argparse.ArgumentParser:
    """Add one verb with ``--json`` and the flags of these settings."""
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=doc, description=doc, allow_abbrev=False)
    verb.add_argument("--json", action="store_true", help="answer in JSON, for programs")
    add_settings(verb, settings)
    verb.set_defaults(run=run)
    return verb


def add_noun(verbs: Verbs, name: str, doc: str) -> Verbs:
    """Add a noun and give the collection that its verbs go into."""
    noun = verbs.add_parser(name, help=doc, description=doc, allow_abbrev=False)
    return noun.add_subparsers(title="verbs", metavar="VERB", required=True)


def add_settings(verb: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """Add the flags of settings; whatever they don't say, a variable or the default does."""
    for name in names:
        setting = BY_NAME[name]
        if setting.flag is not None:
            default = "" if setting.default is None else f" [{setting.default}]"
            text = f"{setting.doc} ({setting.variable}){default}".replace("%", "%%")
            verb.add_argument(setting.flag, dest=setting.name, metavar=setting.metavar, help=text)


def settings_of(args: argparse.Namespace) -> Settings:
    """Read the settings of a call. Raises InvalidSetting."""
    return read_settings(vars(args))
