#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write an initramfs (a newc cpio archive) that holds busybox and an /init.

Needs no root and no cpio: device nodes are only records of the archive. The same input gives the
same bytes: times are 0, inode numbers count up, owners are root.
"""
import argparse
import gzip
import pathlib
import stat
import sys

TRAILER = "TRAILER!!!"


def pad4(length):
    return b"\0" * (-length % 4)


def record(ino, name, mode, data=b"", nlink=1, rdev=(0, 0)):
    """One newc record: thirteen 8-digit fields, the name, the data, each padded to 4 bytes."""
    encoded = name.encode() + b"\0"
    fields = (ino, mode, 0, 0, nlink, 0, len(data), 0, 0, rdev[0], rdev[1], len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return head + pad4(len(head)) + data + pad4(len(data))


class Archive:
    def __init__(self):
        self._records = []

    def _add(self, name, mode, **kwargs):
        self._records.append(record(len(self._records) + 1, name, mode, **kwargs))

    def directory(self, name):
        self._add(name, stat.S_IFDIR | 0o755, nlink=2)

    def file(self, name, data, mode=0o755):
        self._add(name, stat.S_IFREG | mode, data=data)

    def symlink(self, name, target):
        self._add(name, stat.S_IFLNK | 0o777, data=target.encode())

    def char_device(self, name, major, minor, mode=0o600):
        self._add(name, stat.S_IFCHR | mode, rdev=(major, minor))

    def to_bytes(self):
        body = b"".join(self._records) + record(0, TRAILER, 0)
        return body + b"\0" * (-len(body) % 512)


def build(busybox, init):
    """The archive of a guest as bytes; `busybox` and `init` are the contents of the two files."""
    archive = Archive()
    for name in ("bin", "dev", "proc", "root", "sys", "tmp"):
        archive.directory(name)
    archive.char_device("dev/console", 5, 1)
    archive.char_device("dev/null", 1, 3, mode=0o666)
    archive.file("bin/busybox", busybox)
    archive.symlink("bin/sh", "busybox")
    archive.file("init", init)
    return archive.to_bytes()


def main(argv=None):
    parser = argparse.ArgumentParser(prog="mkinitramfs.py", description=__doc__.splitlines()[0])
    parser.add_argument("--busybox", required=True, type=pathlib.Path, help="statically linked busybox")
    parser.add_argument("--init", type=pathlib.Path, default=pathlib.Path(__file__).with_name("guest-init"),
                        help="script that becomes /init (default: %(default)s)")
    parser.add_argument("--gzip", action="store_true", help="compress the archive")
    parser.add_argument("-o", "--output", required=True, type=pathlib.Path)
    args = parser.parse_args(argv)
    try:
        data = build(args.busybox.read_bytes(), args.init.read_bytes())
        args.output.write_bytes(gzip.compress(data, mtime=0) if args.gzip else data)
    except OSError as error:
        print(f"mkinitramfs.py: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
