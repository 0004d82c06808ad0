"""Rules on what package managers of distributions and languages say of packages they cannot give."""

from __future__ import annotations

from typing import Final

from build_exporter.diagnostics.rules.rule import Rank, Rule

_INSTALL: Final = "Install what is named first, or the version asked for; where it exists nowhere, relax the requirement or add the repository."
_SIGNED: Final = "Import the key named (`gpg --recv-keys`), or check that the signature is the file's own."

PACKAGES: Final = (
    Rule(
        "dependency-unsatisfied", "package manager", Rank.TOOL,
        ("nmet dependencies", "held broken packages", "but it is not", "but it is not going to be", "No match for argument",
         "nable to find a match", "othing provides", "No package ", "No matching package", "conflicting requests",
         "ailed to resolve the transaction", "No provider of", "not found in package names", "could not satisfy dependencies",
         "nable to satisfy dependency", "ould not resolve all dependencies", "nable to select packages", "annot install package",
         "Unknown package ", "annot satisfy", "annot find dependency", "ould satisfy", "have been masked",
         "keyword changes are necessary", "repository pool", "unresolvable", "unresolved dependencies",
         "ailed to install missing dependencies", "==> Missing dependencies:", "unknown package", "cannot be satisfied",
         "dependency problems", "dependencies were not met", "s marked as broken", "refusing to evaluate",
         "multiple package instances within", "unmet requirements", "is not available for package",
         "there is no package called", "not enabled. Please enable it", "not compatible with the core layer",
         "No available formula", "o install missing", "is marked as "),
        r"have unmet dependencies|held broken packages|^ .* Depends: .* but it is not |^No match for argument: |nable to find a match"
        r"|(?:^|[- :])[Nn]othing provides [^ ]|^(?:Error: |error: )?No (?:matching )?package (?!'|metadata|is)\S+ (?:available|found)"
        r"|^(?:Error: |error: |ERROR: |E: )?No matching package|conflicting requests|ailed to resolve the transaction|^No provider of '"
        r"|not found in package names|could not satisfy dependencies|nable to satisfy dependency"
        r"|ould not resolve all dependencies|nable to select packages|annot install package \S|^Unknown package '"
        r"|annot satisfy (?:the following dep|-package|dependenc|requirement)|annot find dependency \S"
        r"|ebuilds that could satisfy|keyword changes are necessary|not found in repository pool"
        r"|: unresolvable |due to unresolved dependencies|'pacman' failed to install missing|^==> Missing dependencies:"
        r"|: unknown package$|dependency for \S+ cannot be satisfied|^dpkg: dependency problems|dependencies were not met"
        r"|is marked as (?:broken|insecure|unfree)|refusing to evaluate|multiple package instances within"
        r"|has unmet requirements|is not available for package|there is no package called"
        r"|is not enabled\. Please enable it|not compatible with the core layer|No available formula",
        _INSTALL,
        (" libfoo-dev : Depends: libfoo5 (= 5.0) but it is not installable", "No match for argument: foo-devel",
         " - nothing provides libfoo.so.5 needed by bar-1.0-1.x86_64", "ERROR: unable to select packages:",
         " * opkg_install_cmd: Cannot install package foo.", "<command line>: cannot satisfy -package-id base-4.9",
         "==> ERROR: Could not resolve all dependencies.", "guix build: error: foo: unknown package",
         '!!! All ebuilds that could satisfy "dev-libs/foo" have been masked.',
         "ERROR: dependencies 'foo', 'bar' are not available for package 'baz'; is not available for package",
         "error: Package 'foo-1.0' in /x.nix:3 is marked as insecure, refusing to evaluate."),
    ),
    Rule(
        "dependency-unsatisfied", "language's package manager", Rank.TOOL,
        ("No solution found when resolving", "version solving failed", "PackagesNotFoundError", "UnsatisfiableError",
         "ResolvePackageNotFound", "requires a different Python", "conflicting dependencies", "notarget", "EBADENGINE",
         "ouldn't find package", "ouldn't find any versions", "is incompatible with this module", "ERR_PNPM_NO_MATCHING",
         "Could not find gem", "compatible versions for gem", "alid gem ", "requires Ruby version", "installable set of packages",
         "missing from your system", "No package named", "Library ", "ocamlfind: Package",
         "constructing the build plan", "nsatisfiable requirements", "Could not find artifact", "Could not find ",
         "invalid command ", "NU1101", "NU1102", "NETSDK1045", "Can't resolve", "failed to resolve import",
         "Module not found: ", "in specified Vala API directories", "find include ", "build constraints exclude all",
         "updates to go.mod needed", "updates to go.sum needed", "inconsistent vendoring", "go.mod requires go",
         "could not be found.",
         "Unable to load addon", "nable to load addon", "incompatible with this module", "error NU", "go: updates to", "The pkg-config package "),
        r"No solution found when resolving|version solving failed|^(?:PackagesNotFoundError|UnsatisfiableError"
        r"|LibMambaUnsatisfiableError|ResolvePackageNotFound)|requires a different Python|have conflicting dependencies"
        r"|notarget No matching version|EBADENGINE|[Cc]ouldn't find (?:package \"|any versions)|incompatible with this module"
        r"|ERR_PNPM_NO_MATCHING|Could not find gem '|find compatible versions for gem|find a valid gem '"
        r"|requires Ruby version|installable set of packages|is missing from your system|^\[ERROR\] No package named"
        r"|^(?:File .*: )?Error: Library \"[^\"]+\" not found|^ocamlfind: Package '[^']+' not found|While constructing the build plan"
        r"|nsatisfiable requirements|Could not find artifact \S+:|Could not find [\w.-]+:[\w.-]+:[\w.+-]+\."
        r"|^(?:error: )invalid command '|error (?:NU110\d|NETSDK1045)|Can't resolve '|failed to resolve import"
        r"|not found in specified Vala API directories|^(?:error: )?[Cc]ouldn't find include '\S+\.gir'"
        r"|build constraints exclude all Go files|^go: updates to go\.\w+ needed|inconsistent vendoring"
        r"|go\.mod requires go >= |^The pkg-config package '.*could not be found|nable to load addon ",
        _INSTALL,
        ("  × No solution found when resolving dependencies:", "npm ERR! notarget No matching version found for x@^9.",
         "Could not find gem 'rake (~> 99)' in locally installed gems.", "error: invalid command 'bdist_wheel'",
         "    - foo/bar requires ext-intl * -> it is missing from your system. Install or enable PHP's intl extension.",
         'Error: Library "yojson" not found.', "> Could not find org.example:demo:1.0.",
         "/b/x.csproj : error NU1101: Unable to find package Foo.", "Module not found: Error: Can't resolve 'lodash' in '/b/src'"),
    ),
    Rule(
        "checksum-mismatch", "package tool", Rank.TOOL,
        ("signatures could not be verified", "o public key", "unknown public key", "No hash found for", "LIC_FILES_CHKSUM",
         "EINTEGRITY", "ntegrity check failed", "nvalid signature", "corrupted package", "ntegrity checking failed", "signature is invalid"),
        r"signatures could not be verified|[Cc]an't check signature: [Nn]o public key|\(unknown public key|^ERROR: No hash found for"
        r"|The LIC_FILES_CHKSUM does not match|\bEINTEGRITY\b|[Ii]ntegrity check(?:ing)? failed|is corrupted \(invalid or corrupted package"
        r"|the signature is invalid|[Ii]nvalid signature",
        _SIGNED,
        ("==> ERROR: One or more PGP signatures could not be verified!", "npm ERR! code EINTEGRITY",
         "ERROR: No hash found for foo-1.0.tar.gz",
         "ERROR: foo-1.0-r0 do_populate_lic: QA Issue: foo: The LIC_FILES_CHKSUM does not match for file://COPYING;md5=0 [license-checksum]"),
    ),
)  # fmt: skip
