"""The secret that signs a directory's URLs, kept in a file that only its owner may read."""

import os
import secrets

from storage.objects.directory_tree import Tree, write_file
from storage.objects.errors import StorageUnavailable

NAME = ".secret"
_BYTES = 32


def load_or_make(tree: Tree) -> bytes:
    """Return the folder's secret; the first of all processes to ask makes it.

    Raises:
        StorageUnavailable: The file is not what this function wrote.
        OSError: The folder can't be read or written.
    """
    with tree.locked(), tree.folder(()) as root:
        try:
            descriptor = os.open(NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
        except FileNotFoundError:
            secret = secrets.token_bytes(_BYTES)
            write_file(root, NAME, secret)
            return secret
    with os.fdopen(descriptor, "rb") as file:
        secret = file.read(_BYTES + 1)
    if len(secret) != _BYTES:
        raise StorageUnavailable(
            f"the signing secret {tree.root / NAME} is damaged; remove it to have a new one made",
            retryable=False,
        )
    return secret
