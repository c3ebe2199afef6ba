"""Downloads files, and resumes broken downloads."""

import hashlib
import http
import http.client
import urllib.request
from pathlib import Path

from tqdm import tqdm

CONNECT_SECONDS = 4
ATTEMPTS = 3


def download(url: str, path: Path) -> str:
    """Downloads a file and returns its SHA-256. A broken download is resumed a few times.

    Raises:
        OSError: the download failed; the message gives the reason.
    """
    for attempt in range(ATTEMPTS):
        try:
            if _fetch(url, path):
                break
            reason = 'the connection was closed before the end of the file'
        except (OSError, http.client.HTTPException) as e:  # urllib's errors are OSErrors
            reason = ' '.join(str(getattr(e, 'reason', '') or e).split())
        if attempt == ATTEMPTS - 1 or not path.exists():
            raise OSError(reason)
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def _fetch(url: str, path: Path) -> bool:
    """Downloads the rest of a file. Returns whether the file is complete. An error keeps the downloaded bytes."""
    offset = path.stat().st_size if path.exists() else 0
    request = urllib.request.Request(url, headers={'Range': f'bytes={offset}-'} if offset else {})
    with urllib.request.urlopen(request, timeout=CONNECT_SECONDS) as response:
        offset = offset if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        length = response.headers.get('Content-Length')
        size = offset + int(length) if length else None
        with (
            path.open('ab' if offset else 'wb') as file,
            tqdm(total=size, initial=offset, unit='B', unit_scale=True, desc=path.name) as bar,
        ):
            while chunk := response.read1(1 << 20):
                file.write(chunk)
                bar.update(len(chunk))
            return size is None or file.tell() >= size
