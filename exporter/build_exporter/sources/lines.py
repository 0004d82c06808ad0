"""Cut bytes of a foreign file into lines of text. Nothing here interprets them."""

from __future__ import annotations

from typing import Final

LINE_BYTES: Final = 64 * 1024
"""Longest line; what is beyond is left out."""

CUT_MARK: Final = " […]"
"""Stands at the end of a line that was longer."""


class LineCutter:
    """Bytes to lines: what is torn waits for its rest, what is too long is cut and marked, bad UTF-8 is replaced."""

    def __init__(self, line_bytes: int = LINE_BYTES) -> None:
        self._line_bytes = line_bytes
        self._torn = b""
        self._skipping = False

    @property
    def torn(self) -> str:
        """The beginning of a line whose end has not come yet."""
        return decoded(self._torn)

    def skip_to_line_end(self) -> None:
        """Drop what is torn, and what comes before the next line's beginning."""
        self._torn = b""
        self._skipping = True

    def reset(self) -> None:
        """Forget what is torn."""
        self._torn = b""
        self._skipping = False

    def cut(self, data: bytes) -> list[str]:
        """Return the lines that `data` completes; a line too long is returned as soon as it is."""
        return self.lines(self.block(data))

    def lines(self, block: bytes) -> list[str]:
        """Return the lines of a block of whole ones."""
        return [self._line(piece) for piece in block[:-1].split(b"\n")] if block else []

    def block(self, data: bytes) -> bytes:
        """Return the bytes of the lines that `data` completes, each with its end; those too long may be longer."""
        if self._skipping:
            end = data.find(b"\n")
            if end < 0:
                return b""
            self._skipping = False
            data = data[end + 1 :]
        end = data.rfind(b"\n") + 1
        if end:
            block = b"".join((self._torn, memoryview(data)[:end])) if self._torn else data[:end]
            self._torn = data[end:]
        else:
            block, self._torn = b"", self._torn + data
        if len(self._torn) > self._line_bytes:
            block += self._torn[: self._line_bytes + 1] + b"\n"
            self.skip_to_line_end()
        return block

    def flush(self) -> list[str]:
        """Return what is torn as a line: nothing more will come."""
        return self.lines(self.flush_block())

    def flush_block(self) -> bytes:
        """Return what is torn as the bytes of a line: nothing more will come."""
        torn, self._torn = self._torn, b""
        return torn + b"\n" if torn else b""

    def _line(self, piece: bytes) -> str:
        if len(piece) > self._line_bytes:
            return decoded(piece[: self._line_bytes]) + CUT_MARK
        return decoded(piece.removesuffix(b"\r"))


def decoded(data: bytes) -> str:
    """Return bytes as text, with line ends as Unix has them: a record may have gone through Windows, or a mail."""
    return data.decode("utf-8", "replace").replace("\r\n", "\n")
