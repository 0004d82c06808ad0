"""Books that are broken or hostile: they end in an error with the file's name, soon, and read nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from build_exporter.plan.blfs import read_blfs
from build_exporter.plan.book import read_book
from build_exporter.plan.book_entities import BookError, Entities

Book = Callable[..., Path]
Text = Callable[..., str]


def linker_version(book: Path) -> str | None:
    """Return the version of the tiny book's first package."""
    return read_book(book).steps[0].planned.version


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "packages",
    [
        '<!ENTITY linker-version "&linker-version;">',
        '<!ENTITY linker-version "&a;"><!ENTITY a "&b;"><!ENTITY b "&a;">',
        '<!ENTITY l0 "lollollol">'
        + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
        + '<!ENTITY linker-version "&l11;">',
        '<!ENTITY l0 "">'
        + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
        + '<!ENTITY linker-version "&l11;">',
        '<!ENTITY long "' + "x" * 16000 + '"><!ENTITY linker-version "' + "&long;" * 2000 + '">',
        '<!ENTITY % p0 "%p1;%p1;">'
        + "".join(f'<!ENTITY % p{n} "{f"%p{n + 1};" * 10}">' for n in range(1, 40))
        + "%p0;",
        '<!ENTITY % p "%p;"> %p;',
        "".join(f'<!ENTITY e{n} "">' for n in range(100_001)),
    ],
    ids=["self", "circle", "laughs", "empty-laughs", "quadratic", "parameters", "parameter-self", "many"],
)
def test_entity_bombs_are_refused(book: Book, packages: str) -> None:
    """Entities that contain themselves or multiply end in an error, not in all of the memory."""
    with pytest.raises(BookError, match=r"itself|beyond bounds|more than"):
        linker_version(book({"packages.ent": packages}))


def test_no_text_takes_in_a_file(book: Book, tmp_path: Path) -> None:
    """An external entity stays a name: nothing of this machine's files gets into a plan."""
    (tmp_path / "secret").write_text("hunter2")
    for place in ("../secret", str(tmp_path / "secret"), f"file://{tmp_path}/secret"):
        # what general.ent says after it is what remains
        assert linker_version(book({"packages.ent": f'<!ENTITY linker-version SYSTEM "{place}">'})) == "1"


@pytest.mark.parametrize("place", ["../secret.ent", "link.ent"])
def test_declarations_come_from_the_book_alone(book: Book, tmp_path: Path, place: str) -> None:
    """A file outside the book is not read for declarations, by whichever path or link."""
    (tmp_path / "secret.ent").write_text('<!ENTITY linker-version "hunter2">')
    directory = book({"packages.ent": f'<!ENTITY % s SYSTEM "{place}"> %s;'})
    (directory / "link.ent").symlink_to(tmp_path / "secret.ent")
    with pytest.raises(BookError, match="outside the book"):
        read_book(directory)


@pytest.mark.parametrize("href", ["../../secret.xml", "file:///etc/passwd", "/etc/passwd", "http://localhost/x.xml"])
def test_sections_come_from_the_book_alone(book: Book, make_chapter: Text, href: str) -> None:
    """A chapter can include nothing that is not the book's."""
    with pytest.raises(BookError, match=r"outside the book|no file of the book"):
        read_book(book({"chapter05/chapter05.xml": make_chapter(href)}))


def test_a_missing_section_is_named(book: Book) -> None:
    """A book that was copied in part says which file is not there."""
    directory = book()
    (directory / "chapter08" / "service.xml").unlink()
    with pytest.raises(BookError, match=r"chapter08/service\.xml: is not there"):
        read_book(directory)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("file", ["chapter05/chapter05.xml", "chapter05/about.xml"])
def test_includes_in_a_circle_are_refused(book: Book, make_chapter: Text, make_page: Text, file: str) -> None:
    """Files that include each other are an error and no endless reading."""
    again = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="about.xml"/>'
    text = make_chapter("chapter05.xml") if "chapter" in file[10:] else make_page("about", screens=again)
    with pytest.raises(BookError, match="includes itself"):
        read_book(book({file: text}))


def test_broken_xml_is_reported_with_its_line(book: Book) -> None:
    """The line of an error is the file's own, though comments and declarations are taken out before."""
    text = "<?xml version='1.0'?>\n<!-- two\nlines -->\n<!DOCTYPE sect1 [\n <!ENTITY a 'b'>\n]>\n<sect1>\n</sect2>\n"
    with pytest.raises(BookError, match=r"about\.xml:8: is not well-formed"):
        read_book(book({"chapter05/about.xml": text}))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE " * 20_000,
        "<!DOCTYPE a [" + "<!ENTITY " * 20_000,
        "<!--" * 50_000,
        "<sect1>" + "<a>" * 50_000,
        "<sect1>" + "<screen>" * 50_000 + "</screen>" * 50_000 + "</sect1>",
        "<!DOCTYPE a []><!DOCTYPE b [<!ENTITY x 'y'>]><sect1/>",
        "\x00\x01\x02",
        "",
    ],
    ids=["doctypes", "entities", "comments", "unclosed", "deep", "second-doctype", "binary", "empty"],
)
def test_damage_ends_in_an_error(book: Book, text: str) -> None:
    """Whatever a section's file holds, it ends in an error that names the file."""
    with pytest.raises(BookError, match=r"about\.xml"):
        read_book(book({"chapter05/about.xml": text}))


def test_what_is_no_file_is_not_opened(book: Book) -> None:
    """A pipe in a section's place does not hold the command up."""
    directory = book()
    (directory / "chapter05" / "about.xml").unlink()
    os.mkfifo(directory / "chapter05" / "about.xml")
    with pytest.raises(BookError, match="is no file"):
        read_book(directory)


def test_names_are_fit_to_print(book: Book, make_page: Text) -> None:
    """A version can't move the cursor of the terminal that shows it, nor be longer than a label may."""
    version = "1&#27;[2J" + "9" * 1000
    plan = read_book(book({"packages.ent": f'<!ENTITY linker-version "{version}">'}))
    reported = plan.steps[0].planned.version
    assert reported is not None
    assert reported.isprintable()
    assert len(reported) == 256


def test_a_directory_without_a_book_is_reported(tmp_path: Path) -> None:
    """An empty directory is no empty plan."""
    with pytest.raises(BookError, match="no LFS book"):
        read_book(tmp_path)
    (tmp_path / "chapter05").mkdir()
    (tmp_path / "chapter05" / "chapter05.xml").write_text("<chapter/>")
    with pytest.raises(BookError, match="no sections with commands"):
        read_book(tmp_path)
    with pytest.raises(BookError, match="no page of: wget"):
        read_blfs(tmp_path, ["wget"])


def test_an_undeclared_entity_stays_a_name() -> None:
    """What no one declared is left as it was written."""
    assert Entities({"a": "&b;"}).expand("1 &a; &#50; &amp; &nbsp;") == "1 &b; 2 & &nbsp;"
