"""Every error that patsearch raises on purpose.

    PatsearchError                 exit code 1, printed as one line
    ├── UsageError           2     the request is not valid
    │   ├── FilterError            a filter that is not valid
    │   └── SettingsError          an unknown or malformed setting
    ├── InputError           3     a file or folder that cannot be used
    │   ├── ImageError             a picture that cannot be used: damaged, blank
    │   │   ├── UnknownFormat      not a picture of a known format
    │   │   └── ImageTooLarge      larger than the bounds allow
    │   └── SourceError            an archive, grant or list that cannot be read
    ├── VectorIndexError      4     the index refuses
    │   ├── IndexNotFound          no index at that path
    │   ├── IndexLocked            another process is writing
    │   ├── IndexDamaged           its files contradict each other
    │   ├── IndexVersionError      written by a newer patsearch
    │   └── EncoderMismatch        vectors of another encoder
    ├── EncoderError         5     an encoder that cannot be loaded or run
    ├── BackendError         6     a backend or server that cannot be reached or failed
    ├── PluginError          7     no plug-in of that name, or one that does not load
    ├── StorageError         8     the disk is full, read-only or refuses
    └── TimedOut             1     work that took longer than it may

The library raises these; only the command line's entry point turns them into text. Anything else
that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations


class PatsearchError(Exception):
    """What happened, where, and what to do next.

    Args:
        message: what happened, naming the file, field or address concerned.
        hint: what to do next; printed after the message.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process boundaries during ingest; the keyword argument must survive.
        return _rebuild, (type(self), self.message, self.hint)


def _rebuild(cls: type[PatsearchError], message: str, hint: str | None) -> PatsearchError:
    return cls(message, hint=hint)


class UsageError(PatsearchError):
    """The request is not valid."""

    exit_code = 2


class FilterError(UsageError):
    """A filter that is not valid: unknown key, bad date, bad class code."""


class SettingsError(UsageError):
    """An unknown or malformed setting in patsearch.toml or the environment."""


class InputError(PatsearchError):
    """A file or folder that cannot be used."""

    exit_code = 3


class ImageError(InputError):
    """A picture that cannot be used: damaged, blank, not of a known format, or too large."""


class UnknownFormat(ImageError):
    """Not a picture of a known format."""


class ImageTooLarge(ImageError):
    """A picture with more bytes or pixels than the bounds allow."""


class SourceError(InputError):
    """An archive, grant, list or folder that cannot be read as a source of patents."""


class VectorIndexError(PatsearchError):
    """The index refuses the operation."""

    exit_code = 4


class IndexNotFound(VectorIndexError):
    """There is no index at that path."""


class IndexLocked(VectorIndexError):
    """Another process is writing to the index."""


class IndexDamaged(VectorIndexError):
    """The files of the index contradict each other."""


class IndexVersionError(VectorIndexError):
    """The index was written by a newer patsearch."""


class EncoderMismatch(VectorIndexError):
    """The vectors come from another encoder than the index's, or have another dimension."""


class EncoderError(PatsearchError):
    """An encoder that cannot be loaded or run."""

    exit_code = 5


class BackendError(PatsearchError):
    """A backend or server that cannot be reached, or that failed."""

    exit_code = 6


class PluginError(PatsearchError):
    """No plug-in of that name, or one that does not load."""

    exit_code = 7


class StorageError(PatsearchError):
    """The disk is full, read-only or refuses for another reason."""

    exit_code = 8


class TimedOut(PatsearchError):
    """Work that took longer than it may (`patsearch.deadline`)."""
