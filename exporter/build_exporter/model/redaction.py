"""Masking of secrets in text that comes from logs and events, before it is shown anywhere.

The rules are data: a name, a pattern whose named group `secret` is what gets masked, and words one of which every
match contains. The words keep the cost of ordinary text low. Every part of a pattern is bounded, so the cost of
hostile text is linear. Scanners of source code such as detect-secrets report lines that may hold a secret; their
patterns neither find where it ends nor leave diagnostics of compilers alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple
from unicodedata import normalize

MASK: Final = "***"

_KEY: Final = (
    r"(?:pass[_-]?word|passwd|pass[_-]?phrase|secret(?:[_-]?key)?(?:[_-]?base)?|token|credentials?|auth[_-]?key"
    r"|(?:api|access|private|signing|encryption|client|deploy|license|account|storage|shared|master)[_-]?key(?:[_-]?id)?"
    r"|(?:client|app|shared)[_-]?secret)"
)
"""Endings of the names of secrets."""

_NAME: Final = rf"(?<![A-Za-z0-9_.-])(?:[A-Za-z0-9_.-]{{0,60}}?)(?i:{_KEY})"
_LINE_START: Final = r"(?m:^)[ \t]{0,40}(?:-[ \t]|export[ \t]|set[ \t]|\+[ \t]){0,2}"
_QUOTED: Final = r"\"(?:[^\"\\\n]|\\.){1,500}\"|'(?:[^'\\\n]|\\.){1,500}'"

_HARMLESS: Final = (
    r"(?!(?i:y|n|m|yes|no|on|off|true|false|none|null|nil|undefined|empty|unset|required|optional|missing|passed|failed"
    r"|ok|skipped|skip|pass|fail|xfail|error|warning|done|invalid|expired|found|0|1)\b[.,;:)\]}]{0,4}(?:[\s&]|$))"
    r"(?![)\]}]{1,3}[.,;:]?(?:\s|$))"
    r"(?![<\[({*]|\$[({A-Za-z]|%[A-Za-z(]|\.\.\.|=|['\"]{2}|[A-Z]+_?[A-Z]+(?:[\s\])]|$))"
)
"""Not before a value that is empty, a result, a switch, a reference to a variable, or a placeholder of a usage text."""

_PROSE: Final = (
    r"(?!(?i:is|are|was|has|had|not|no|and|or|to|for|from|in|of|on|at|as|by|with|without|cannot|can|can't|could|must|may"
    r"|should|will|requires?|needs?|takes?|expects?|expected|option|argument|given|specified|ignored|used|unknown"
    r"|unrecognized|invalid|the|a|an|this|that|value|flag|before|after|instead|does|doesn't|did|but|if|when)\b)"
)

_RANDOM: Final = r"(?=[^\s\"']{0,200}[0-9!@#$%^&*+])(?=[^\s\"']{0,200}[A-Za-z])"
"""Before a value that holds letters and something that is none, as ordinary words do not."""


class Rule(NamedTuple):
    """One form of a secret: what it is called, how it is recognised, and what text without it never has."""

    name: str
    pattern: re.Pattern[str]
    words: tuple[str, ...]


def _rule(name: str, words: str, pattern: str) -> Rule:
    return Rule(name, re.compile(pattern), tuple(words.split()))


_KEY_WORDS: Final = "pass secret token key credential"
_NOT_SYNTAX: Final = r"(?<!unexpected[ ])(?<!expected[ ])(?<!invalid[ ])(?<!unknown[ ])(?<!bad[ ])"
"""Parsers call what they read a token."""

RULES: Final = (
    _rule(
        "private key block",
        "private",
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?P<secret>(?:(?!-----END)[\s\S]){1,8192})",
    ),
    _rule(
        "user and password in an address",
        "://",
        r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{0,30}://"
        r"(?P<secret>[^\s/@:\"'<>?#]{0,200}:(?!\d{1,5}(?:[/?#\s\"']|$))[^\s\"'<>]{1,500})@(?=[\w\[*-])",
    ),
    _rule(
        "token in an address",
        "://",
        r"(?i:\b(?:https?|ftps?|wss?|git\+https))://(?!git@|hg@|anonymous@)"
        r"(?P<secret>[^\s/@:\"'<>]{10,300}|(?=[^\s/@:]{0,9}\d)[^\s/@:\"'<>]{4,9})@(?=[\w\[])",
    ),
    _rule("webhook address", "hooks.slack.com/", r"hooks\.slack\.com/(?:services|workflows)/(?P<secret>[\w/]{8,200})"),
    _rule(
        "signed address",
        "x-amz- sig= signature=",
        r"(?:(?i:x-amz-(?:signature|credential|security-token))|(?<=[?&])sig(?:nature)?)=(?P<secret>[^\s&\"']{8,2000})",
    ),
    _rule(
        "authorization header with a scheme",
        "authorization",
        r"(?i:(?:proxy-)?authorization)[\"']?\s{0,5}[:=]\s{0,5}[\"']?"
        r"(?i:basic|bearer|token|digest|negotiate|apikey|api-key|aws4-hmac-sha256|ntlm)\s{1,5}"
        r"(?P<secret>[^\s\"'][^\"'\n]{0,2000})",
    ),
    _rule(
        "authorization header",
        "authorization",
        rf"(?i:authorization)[\"']?\s{{0,5}}[:=]\s{{0,5}}[\"']?{_RANDOM}(?P<secret>[^\s\"']{{8,2000}})",
    ),
    _rule("bearer token", "bearer", rf"(?i:\bbearer)\s{{1,5}}{_RANDOM}(?P<secret>[A-Za-z0-9._~+/=-]{{6,4000}})"),
    _rule(
        "cookie header",
        "cookie",
        r"(?i:\b(?:set-)?cookie2?)[\"']?\s{0,5}:\s{0,5}[\"']?(?P<secret>[\w.-]{1,100}=[^\"'\n]{1,4000})",
    ),
    _rule(
        "token header",
        "token key secret",
        r"(?i:\b(?:x-|private-|job-|deploy-)[a-z-]{0,40}?(?:token|key|secret)):\s{0,5}(?P<secret>[^\s\"']{4,2000})",
    ),
    _rule(
        "quoted name",
        _KEY_WORDS,
        rf"[\"'][\w.-]{{0,60}}?(?i:{_KEY})[\"']\s{{0,5}}(?::|=>?)\s{{0,5}}(?P<secret>{_QUOTED}|\d[^\s,}}]{{0,100}})",
    ),
    _rule("assignment", _KEY_WORDS, rf"{_NAME}(?:=|:=|\?=){_HARMLESS}(?P<secret>{_QUOTED}|[^\s\"']\S{{0,2000}})"),
    _rule(
        "quoted value",
        _KEY_WORDS,
        rf"(?i:{_NOT_SYNTAX}){_NAME}\s{{0,5}}[=:]\s{{0,5}}{_HARMLESS}(?=.{{4}})(?P<secret>{_QUOTED})",
    ),
    _rule(
        "line of a configuration",
        _KEY_WORDS,
        rf"{_LINE_START}[A-Za-z0-9_.-]{{0,60}}?(?i:{_KEY})[ \t]{{0,20}}[=:][ \t]{{1,20}}{_HARMLESS}{_PROSE}"
        r"(?P<secret>[^\s\"'()]{1,500})[ \t\r]{0,20}(?m:$)(?<![:;])",
    ),
    _rule(
        "password in a sentence",
        "pass secret",
        r"(?i:\b(?:password|passwd|passphrase|secret))[ \t]{0,5}[=:][ \t]{0,5}"
        rf"{_HARMLESS}{_RANDOM}(?P<secret>[^\s\"'()]{{3,500}})",
    ),
    _rule(
        "command-line option",
        _KEY_WORDS,
        rf"(?<![\w-])--?(?:[A-Za-z0-9]{{1,40}}-){{0,4}}(?i:{_KEY}|pass)[ \t]{{1,5}}{_HARMLESS}{_PROSE}"
        rf"(?P<secret>{_QUOTED}|[^\s\"'-]\S{{0,500}})",
    ),
    _rule(
        "user of a client",
        "-u --user --proxy-user",
        r"(?<![\w-])(?:-u|--user|--proxy-user)[ =]{1,5}[\"']?[\w.@+-]{1,100}:(?!\d+\b)(?P<secret>[^\s\"':]{1,300})",
    ),
    _rule(
        "password option of a client",
        "sshpass mysql mariadb",
        r"\b(?:sshpass\s{1,5}-p\s{0,5}|(?:mysql|mariadb)(?:dump|admin)?\s[^\n]{0,200}?(?<=\s)-p)"
        r"(?P<secret>[^\s\"']{1,200}|\"[^\"\n]{1,200}\"|'[^'\n]{1,200}')",
    ),
    _rule(
        "password of a key",
        "pass:",
        # a number without an option before it counts the tests that have passed
        r"(?:(?<![\w-])--?[\w-]{0,20}pass(?:in|out)?[ =]{1,5}[\"']?pass:"
        r"|(?<![\w:-])pass:(?!\d{1,9}(?:[^\w@!#$^&*+~-]|$)))(?P<secret>[^\s\"':]{1,300})",
    ),
    _rule(
        "connection string",
        "pwd",
        r"(?:[;&?]|\b(?:db|my|user|mysql|root|admin)_?)(?i:pwd)\s{0,3}=\s{0,3}(?P<secret>[^\s;&\"'/][^\s;&\"']{0,300})",
    ),
    _rule(
        "netrc line",
        "password",
        r"\b(?i:machine|login|default)\s[^\n]{0,300}?\bpassword[ \t]{1,10}(?P<secret>\S{1,300})",
    ),
    _rule(
        "SQL",
        "identified",
        r"(?i:\bidentified\s{1,5}(?:with\s{1,5}\w{1,60}\s{1,5})?by)\s{1,5}(?P<secret>'[^'\n]{1,300}'|\"[^\"\n]{1,300}\")",
    ),
    _rule("key of a cloud", "akia asia aroa aida", r"\b(?P<secret>(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16})\b"),
    _rule(
        "token of a forge",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ gl",
        r"\b(?P<secret>(?:gh[pousr]_|github_pat_|gl(?:pat|dt|cbt|rt|ptt|ft|soat)-)[A-Za-z0-9_-]{8,255})",
    ),
    _rule(
        "token of a service",
        "xox sk npm_ pypi-ag aiza sg. hvs. dop_v1_ rk_live hf_ dckr_",
        r"\b(?P<secret>xox[abeoprs]-[A-Za-z0-9-]{8,250}|[rs]k_(?:live|test)_[A-Za-z0-9]{10,100}"
        r"|sk-[A-Za-z0-9_-]{20,200}|npm_[A-Za-z0-9]{30,50}|pypi-Ag[A-Za-z0-9_-]{20,300}|AIza[A-Za-z0-9_-]{35}"
        r"|SG\.[\w-]{16,32}\.[\w-]{16,64}|hvs\.[\w-]{20,200}|dop_v1_[a-f0-9]{64}|hf_[A-Za-z0-9]{30,50}"
        r"|dckr_pat_[\w-]{20,60})",
    ),
    _rule(
        "JSON web token",
        "eyj",
        r"\b(?P<secret>eyJ[A-Za-z0-9_-]{6,2000}\.eyJ[A-Za-z0-9_-]{4,4000}\.?[A-Za-z0-9_-]{0,1000})",
    ),
    _rule("token of a bot", ":aa", r"(?<!\d)(?P<secret>\d{8,10}:AA[A-Za-z0-9_-]{33})"),
)
"""In the order they apply; a later rule sees what an earlier one has masked."""


_WORDS: Final = tuple(
    word for word in sorted({w for rule in RULES for w in rule.words}, key=len)
    if not any(other != word and other in word for rule in RULES for other in rule.words)
)  # fmt: skip
"""Words one of which every text with a secret contains."""

_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]+"
)
"""What has no width: between the letters of a secret a reader does not see it."""
_DRAWN: Final = re.compile(
    "[\u2070-\u209f\u2100-\u214f\u2460-\u24ff\u3000\uff01-\uff5e\U0001d400-\U0001d7ff\U0001f100-\U0001f1ff]+"
)
"""Letters, figures and signs that are others by their form alone, such as full-width ones."""


def redact(text: str) -> str:
    """Return the text with every secret that a rule recognises replaced by `***`.

    A secret may be written with characters that have no width, or with full-width letters and the like: where one is
    found behind these, the text is returned without them.
    """
    bare = text if text.isascii() else _DRAWN.sub(_plainly, _UNSEEN.sub("", text))
    if bare != text and (found := _mask(bare)) != bare:
        return found
    return _mask(text)


def _plainly(found: re.Match[str]) -> str:
    return normalize("NFKC", found[0])


@lru_cache(maxsize=4096)
def masked_name(name: str) -> str:
    """Return a name, which comes again and again, without its secrets."""
    return redact(name)


def are_plain(names: Iterable[str]) -> bool:
    """Return whether none of many names can have a secret, in one look at all of them."""
    text = "\n".join(names).lower()
    return text.isascii() and not any(word in text for word in _WORDS)


def _mask(text: str) -> str:
    lowered = text.lower()
    for word in _WORDS:
        if word in lowered:
            break
    else:
        return text
    for rule in RULES:
        if any(word in lowered for word in rule.words):
            text = rule.pattern.sub(_masked, text)
    return text


def _masked(found: re.Match[str]) -> str:
    start, end = found.span("secret")
    secret = found["secret"]
    if secret.endswith("]") and secret.count("]") > secret.count("["):
        # it closes what was opened before, such as the parameters in the name of a test
        end -= 1
    return found.string[found.start() : start] + MASK + found.string[end : found.end()]
