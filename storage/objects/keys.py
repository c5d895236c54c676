"""The rules of object keys, the same for every store."""

from storage.objects.errors import InvalidKey

MAX_KEY_BYTES = 512
MAX_SEGMENT_BYTES = 200
"""Short enough that a hidden companion of the file fits a file system's limit of 255 bytes."""

_PUNCTUATION = frozenset("._=@+,()-")


def checked_key(key: str) -> str:
    """Return the key when it is a valid one.

    A key is relative, its segments parted by ``/``. A segment has letters and digits of any script and
    ``. _ = @ + , ( ) -``, and does not start with a dot: this refuses ``.``, ``..`` and hidden files at once.
    A key has at most 512 bytes of UTF-8, a segment at most 200.

    Raises:
        InvalidKey: The key breaks one of these rules.
    """
    for segment in key.split("/"):
        if not segment:
            raise InvalidKey("an object key must be relative and have no empty segment")
        if segment.startswith("."):
            raise InvalidKey("a segment of an object key must not start with a dot")
        if not all(character.isalnum() or character in _PUNCTUATION for character in segment):
            raise InvalidKey("an object key may have only letters, digits and . _ = @ + , ( ) - between slashes")
        if len(segment.encode()) > MAX_SEGMENT_BYTES:
            raise InvalidKey(f"a segment of an object key has more than {MAX_SEGMENT_BYTES} bytes")
    if len(key.encode()) > MAX_KEY_BYTES:
        raise InvalidKey(f"an object key has more than {MAX_KEY_BYTES} bytes")
    return key


def checked_prefix(prefix: str) -> str:
    """Return the prefix as a folder with its last slash, or ``""`` for everything.

    A prefix names a folder, with or without its last slash: ``jobs/12`` is never the start of ``jobs/123``.

    Raises:
        InvalidKey: The prefix isn't a valid key.
    """
    return checked_key(prefix.removesuffix("/")) + "/" if prefix else ""


def is_key(text: str) -> bool:
    """Tell whether the text is a valid key."""
    try:
        checked_key(text)
    except InvalidKey:
        return False
    return True
