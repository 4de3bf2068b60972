"""What a container runtime does, without one: launch.py ROOT DATA UID NAME=VALUE... -- COMMAND.

Started by ``unshare --mount --pid --net --fork``. The root is read-only, /tmp is in memory, /data is a folder of the
host; the command is process 1, of a user without any capability, in a network of its own.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys

SIOCSIFFLAGS = 0x8914
IFF_UP = 1
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def main() -> None:
    """Become the command."""
    root, data, uid, *rest = sys.argv[1:]
    end = rest.index("--")
    environment, command = dict(pair.split("=", 1) for pair in rest[:end]), rest[end + 1 :]
    for options in (
        ["--make-rprivate", "/"],
        ["--bind", root, root],
        ["--options", "remount,bind,ro", root],
        ["--types", "tmpfs", "--options", "nosuid,nodev,noexec", "tmpfs", f"{root}/tmp"],
        ["--types", "proc", "proc", f"{root}/proc"],
        ["--bind", "/dev", f"{root}/dev"],
        ["--bind", data, f"{root}/data"],
    ):
        subprocess.run(["mount", *options], check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", IFF_UP, b""))
    os.chroot(root)
    os.chdir("/data")
    os.setgroups([])
    os.setgid(int(uid))
    os.setuid(int(uid))
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # again, as another user: where the tests are killed
    os.execvpe(command[0], command, environment)


if __name__ == "__main__":
    main()
