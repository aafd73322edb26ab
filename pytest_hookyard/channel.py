"""What pytest and a child process of its own say to each other, beside the links of the hosts."""

from __future__ import annotations

import os
import socket
import threading
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARK: Final = b"\0"


class Channel:
    """One end: messages, which are tuples, and open files, in order. Any thread may send.

    Both ends are of one installation and nobody else has either, so messages are pickled.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._connection = Connection(os.dup(sock.fileno()))
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor to watch for messages."""
        return self._socket.fileno()

    def send(self, *message: Any, files: Sequence[int] = ()) -> None:
        """Send a message, with descriptors of open *files*.

        :raises OSError: when the other end is gone.
        """
        with self._sending:
            self._connection.send((message, len(files)))
            if files:
                socket.send_fds(self._socket, [_MARK], files)

    def receive(self) -> tuple[tuple[Any, ...], list[int]]:
        """Return the next message and its open files.

        :raises EOFError: when the other end is gone.
        :raises OSError: likewise.
        """
        message, count = self._connection.recv()
        files = socket.recv_fds(self._socket, len(_MARK), count)[1] if count else []
        return message, files

    def close(self) -> None:
        """Close this end."""
        self._connection.close()
        self._socket.close()
