"""What lies where a file should be, by its first bytes: a git-lfs pointer, a page of HTML or XML, a pickle, nothing."""

HEAD_BYTES = 512
"""As many bytes as `substitute` looks at."""
POINTER_BYTES = 1024
"""A git-lfs pointer is shorter, by git-lfs's own specification."""
POINTER = ("a git-lfs pointer, not the file itself", "Fetch it: run `git lfs pull` in its repository")
"""What `substitute` gives for one."""
_PAGES = {b"<!doctype html": "an HTML page", b"<html": "an HTML page", b"<?xml": "an XML page"}
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def substitute(head: bytes | memoryview) -> tuple[str, str] | None:
    """What a file is, and what to do, where it is known to be in another's place; None where it is not.

    Args:
        head: Its first bytes; a file of safetensors, JSON, Parquet, Arrow or of an image.
    """
    start = bytes(head[:HEAD_BYTES])
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    page = next((name for mark, name in _PAGES.items() if text.startswith(mark)), None)
    if not start:
        return "an empty file", "Download it again"
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        return POINTER
    if page is not None:
        return f"{page}, such as servers answer instead of a file", "Download it again, logged in where that is needed"
    if start.startswith(_PICKLES):
        return "a pickle or a zip archive, which is never opened as weights", "Save the weights as safetensors"
    return None
