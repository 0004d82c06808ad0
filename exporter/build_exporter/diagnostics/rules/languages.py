"""Rules for compilers of languages other than C and its kin, and for generators of documents and schemas."""

from __future__ import annotations

from typing import Final

from build_exporter.diagnostics.rules.rule import Rank, Rule

_SOURCE: Final = (
    "Open the place named. A newer compiler often rejects what an older one took: look for a newer release or a patch"
    " of the package, or use the version of the compiler that it names."
)
_DOCUMENT: Final = (
    "A generator of documents or catalogs failed: install its style sheets and schemas, or build without documents."
)

LANGUAGES: Final = (
    Rule(
        "missing-file", "document tool", Rank.TOOL,
        ("LaTeX Error: File", "failed to load external entity", "I can't find file", "failed to load "),
        r"^! (?:LaTeX Error: File '[^']+' not found|I can't find file)|failed to load external entity|^warning: failed to load \"",
        _DOCUMENT,
        ("! LaTeX Error: File 'ulem.sty' not found.",
         'I/O error : failed to load external entity "http://docbook.example.org/xsl/manpages/docbook.xsl"'),
    ),
    Rule(
        "dependency-unsatisfied", "document tool", Rank.TOOL,
        ("Could not import extension", "heme error:", "no theme named"),
        r"Could not import extension \S+|no theme named '",
        _DOCUMENT, ("Extension error: Could not import extension sphinx_rtd_theme (exception: No module named 'x')",),
    ),
    Rule(
        "compiler-error", "compiler", Rank.TOOL,
        (".scala:", ".java:[", ".kt:[", ".groovy:[", ".adb:", ".ads:", "File ", "hs:", ".hsc:", ".agda:", ".erl:", ".hrl:", ".proto:", ".thrift:",
         ".idl:", ".kt:", ".kts:", ".texi", ".txi:", ".po:", ".nim(", ".pas(", ".pp(", ".cs(", ".vb(", ".fs(", "CompileError",
         "! Undefined control", "! LaTeX Error", "! Package ", "! Emergency stop", "! Missing", "! Extra"),
        r"^(?:e: )?(?:file://)?[^\s:()]{1,300}\.(?:scala|ad[bs]|erl|hrl|proto|thrift|idl|kts?|texi(?:nfo)?|txi|po):(?: ?\(?)\d+(?:[:,] ?\d+)?"
        r"\)?:? (?!warning|Warning|note|info|style|medium:|low:|\(style\)|duplicate message|remark)\S"
        r"|^[^\s:()]{1,300}\.(?:java|kt|scala|groovy):\[\d+,\d+\] (?!warning)|^[^\s:()]{1,300}\.(?:l?hs|chs|hsc|agda):\d+:\d+:(?:$| (?!error|[Ww]arning))"
        r"|^File \"[^\"]{1,300}\", lines? \d[^:]{0,80}: (?:\^+ )?Error|^\*\* \(CompileError\)"
        r"|^! (?:Undefined control sequence|LaTeX Error|Package \S+ Error|Emergency stop|Missing|Extra)"
        r"|^[^\s:()]{1,300}\.(?:nim|pas|pp|cs|vb|fs)\(\d+, ?\d+\):? (?:Error|Fatal|error)\b",
        _SOURCE,
        ("src/main/scala/A.scala:3:5: not found: value x", 'File "src/a.ml", line 3, characters 4-9: Error: Unbound value foo',
         'foo.adb:12:05: "x" is undefined', "e: file:///b/src/Main.kt:3:5 Unresolved reference: x", "Setup.hs:3:1:",
         "/b/src/A.java:[3,5] cannot find symbol", "** (CompileError) lib/x.ex:3: undefined function foo/0", "! Undefined control sequence.",
         "src/demo.erl:12: function foo/1 undefined", "doc/x.texi:30: unknown command 'foo'", "po/de.po:30: end-of-line within string",
         "x.nim(3, 5) Error: undeclared identifier: 'x'", 'api/x.proto:3:5: "Foo" is not defined.'),
    ),
)  # fmt: skip
