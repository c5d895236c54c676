"""Models on the Hugging Face Hub, or on a server with its API that HF_ENDPOINT names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from huggingface_hub import HfApi, get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented, yet not re-exported

from models.errors import MissingWeights
from models.weights.origins import ConnectionLost, Listing, RemoteFile
from models.weights.sources import HubSource, checked_path

_TIMEOUT = httpx2.Timeout(20.0, connect=3.0)
_TRY_AGAIN = (408, 429, 500, 502, 503, 504)


class HubOrigin:
    """One model; see ``models.weights.origins.Origin``."""

    def __init__(self, source: HubSource) -> None:
        self._source = source
        self._endpoint = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
        self._commit: str | None = None
        self._paths: dict[str, str] = {}

    def listing(self) -> Listing:
        """Return what the model has below the folder that its name says, or the one file."""
        with self._explained():
            info = HfApi(endpoint=self._endpoint).model_info(
                self._source.repository,
                revision=self._source.revision,
                files_metadata=True,
                timeout=_TIMEOUT,  # type: ignore[arg-type]  # passed on to httpx2, which takes it
            )
        self._commit = info.sha
        files = []
        for sibling in info.siblings or ():
            if path := self._path(sibling.rfilename):
                digest = f"sha256:{sibling.lfs.sha256}" if sibling.lfs else f"git:{sibling.blob_id}"
                files.append(RemoteFile(path, sibling.size or 0, digest, sibling.blob_id))
                self._paths[path] = sibling.rfilename
        if not files:
            raise MissingWeights(f"the model {self._source.repository} has no {self._source.inside or 'files'}")
        return Listing(self._endpoint, tuple(files), info.sha, _licence(info))

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """Yield the bytes of a file from an offset on."""
        repository, path = self._source.repository, self._paths[file.path]
        url = hf_hub_url(repository, path, revision=self._commit, endpoint=self._endpoint)
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with self._explained(), get_session().stream("GET", url, headers=headers, timeout=_TIMEOUT) as response:
            if response.is_error:
                response.read()
            hf_raise_for_status(response)
            # A server that knows no ranges begins at the beginning.
            skipped = offset if response.status_code != httpx2.codes.PARTIAL_CONTENT else 0
            for block in response.iter_bytes():
                yield block[skipped:]
                skipped = max(0, skipped - len(block))

    def _path(self, name: str) -> str | None:
        """Return where a file of the repository is laid; None for one that the source's name leaves out."""
        inside = self._source.inside
        if name == inside:
            name = name.rpartition("/")[2]
        elif inside and not name.startswith(f"{inside}/"):
            return None
        elif inside:
            name = name.removeprefix(f"{inside}/")
        try:
            return checked_path(name)
        except ValueError as error:
            raise MissingWeights(f"the model {self._source.repository} lists a dangerous name: {error}") from error

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the Hub's library raises into sentences, or into ``ConnectionLost``."""
        repository = self._source.repository
        page = f"{self._endpoint}/{repository}"
        try:
            yield
        except GatedRepoError as error:
            raise MissingWeights(
                f"the model {repository} is gated: accept its licence at {page}, and set HF_TOKEN to a token of the "
                "same account (https://huggingface.co/settings/tokens)"
            ) from error
        except RepositoryNotFoundError as error:
            raise MissingWeights(
                f"there is no model {repository} at {self._endpoint}, or it is a private one; for that, set HF_TOKEN "
                "to a token that may read it"
            ) from error
        except RevisionNotFoundError as error:
            raise MissingWeights(f"the model {repository} has no revision {self._source.revision}") from error
        except EntryNotFoundError as error:
            raise MissingWeights(f"the model {repository} lacks a file that it lists") from error
        except OfflineModeIsEnabled as error:
            raise MissingWeights("HF_HUB_OFFLINE forbids to ask the Hugging Face Hub") from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status in _TRY_AGAIN:
                raise ConnectionLost(f"{self._endpoint} answers {status}") from error
            if status in (401, 403):
                raise MissingWeights(
                    f"{self._endpoint} refuses {repository} ({status}): accept its licence at {page} if it has one to "
                    "accept, and set HF_TOKEN to a token that may read it"
                ) from error
            raise MissingWeights(f"{self._endpoint} answers {status} for {repository}") from error
        except httpx2.TransportError as error:
            raise ConnectionLost(f"no connection to {self._endpoint} ({type(error).__name__})") from error


def _licence(info: Any) -> str | None:
    card = info.card_data
    stated = card.get("license") if card is not None else None
    if isinstance(stated, str) and stated != "other":
        return stated
    if card is not None and isinstance(name := card.get("license_name"), str):
        return name
    tags = (tag.removeprefix("license:") for tag in info.tags or () if tag.startswith("license:"))
    return next(tags, stated if isinstance(stated, str) else None)
