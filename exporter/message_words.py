#!/usr/bin/env python3
"""Make `build_exporter/diagnostics/words.json`: how other languages say what build tools say of a failure.

The translations are those of the distribution's message catalogs. Only words are kept, not sentences: of a message with
placeholders the longest piece between them, of one without the whole, where it is short. Run it where the packages
`gcc-12-locales binutils-common make bash coreutils libc-l10n` of Debian 12 are unpacked:

    python3 exporter/message_words.py /usr/share/locale
"""

from __future__ import annotations

import gettext
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LANGUAGES: Final = (
    "ca cs da de el es fi fr hu id it ja ko nb nl pl pt_BR pt ro ru sk sr sv tr uk vi zh_CN zh_TW".split()
)
"""The twenty languages most used by people who build software, and those with a catalog beside them."""

DOMAINS: Final = ("gcc", "cpplib", "binutils", "bfd", "ld", "gas", "gold", "make", "bash", "coreutils", "libc")
"""Catalogs that are read; others of a machine are no matter of builds."""

PHRASES: Final = (
    "error", "fatal error", "warning", "note", "internal compiler error", "undefined reference to",
    "multiple definition of", "cannot find", "cannot open output file", "compilation terminated",
    "No rule to make target", "Error", "ignored", "Interrupt", "Terminated", "Hangup", "Killed", "Segmentation fault",
    "command not found", "No such file or directory", "No space left on device", "Permission denied",
    "Cannot allocate memory", "Operation not permitted", "Read-only file system", "Exec format error",
    "Connection refused", "syntax error", "cannot stat", "cannot remove", "cannot create directory",
    "unrecognized option", "invalid option", "missing separator", "Deleting file",
    "Waiting for unfinished jobs", "unrecognized command-line option", "Is a directory", "Not a directory",
    "File exists", "Connection timed out", "Network is unreachable",
)  # fmt: skip

OLDER: Final = {
    "No such file or directory": (
        "No existe el archivo o el directorio", "Aucun fichier ou répertoire de ce type",
        "Arquivo ou diretório não encontrado", "Ficheiro ou directoria inexistente", "그런 파일이나 디렉토리가 없음",
    ),
    "command not found": ("commande non trouvée", "no se encontró la orden", "Kommando nicht gefunden"),
    "error": ("chyba", "fallo", "feil", "błąd"),
}  # fmt: skip
"""Words of other releases than those of the distribution, and of tools beside those of `DOMAINS`."""

_PLACEHOLDER: Final = re.compile(
    r"%(?:\d+\$)?[-+ #0]*(?:\*|\d+)?(?:\.\d+)?(?:hh|h|ll|l|q|z|t|p)?[A-Za-z%]|\\n|\n|\*{3}"
)
_OUTSIDE: Final = re.compile(r"^[^\w(]+|[^\w)]+$")
_LEAST: Final = 2
_LONGEST: Final = 64


def pieces(message: str) -> list[str]:
    """Return the words between a message's placeholders, without punctuation at their ends."""
    return [piece for raw in _PLACEHOLDER.split(message) if (piece := _OUTSIDE.sub("", raw.strip()))]


def translations(catalogs: Path, language: str) -> Iterator[tuple[str, str]]:
    """Yield each phrase with its words in a language, of each catalog that has it."""
    for path in sorted((catalogs / language / "LC_MESSAGES").glob("*.mo")):
        if not path.stem.startswith(DOMAINS):
            continue
        try:
            with path.open("rb") as file:
                catalog = vars(gettext.GNUTranslations(file))["_catalog"]
        except (OSError, UnicodeDecodeError):
            continue
        for english, foreign in catalog.items():
            words = pieces(english) if isinstance(english, str) else []
            found = pieces(foreign) if isinstance(foreign, str) and foreign != english else []
            if len(words) == 1 and words[0] in PHRASES and found:
                yield words[0], max(found, key=len)


def table(catalogs: Path) -> dict[str, list[str]]:
    """Return the words of all languages by the English phrase, the longest first."""
    found = {phrase: set(OLDER.get(phrase, ())) for phrase in PHRASES}
    for language in LANGUAGES:
        for phrase, words in translations(catalogs, language):
            if _LEAST <= len(words) <= _LONGEST and words.lower() != phrase.lower():
                found[phrase].add(words)
    taken: set[str] = set()
    unique: dict[str, list[str]] = {}
    for phrase, collected in found.items():
        unique[phrase] = sorted(collected - taken, key=lambda each: (-len(each), each))
        taken |= collected
    return unique


def main() -> int:
    """Write the table; return the exit code."""
    catalogs = Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/locale")
    words = table(catalogs)
    missing = [phrase for phrase, found in words.items() if not found]
    target = Path(__file__).parent / "build_exporter" / "diagnostics" / "words.json"
    target.write_text(json.dumps(words, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    print(f"{sum(map(len, words.values()))} words; without any: {', '.join(missing) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
