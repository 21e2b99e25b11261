#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make a raw disk from which a PC's BIOS boots axvm-demo.

    mkdisk.py -o OUT --loader LOADER [--bundle BUNDLE] [--append WORDS] IMAGE

LOADER is axvm-disk.bin, IMAGE axvm-demo.bin: both come from the build. IMAGE says by its Multiboot header
where it wants to lie. Prints "cylinders N": what an emulator wants to know of a disk with 16 heads and 63
sectors per track. Errors name the file; status 2, no output.
"""
import argparse
import pathlib
import struct
import sys

SECTOR = 512
TRACK = 16 * 63 * SECTOR
PAGE = 0x1000
LIMIT = 1 << 32

# axvm-demo/boot/disk.S
LOADER_SIZE = 8 * SECTOR
TABLE = SECTOR
TABLE_MAGIC = b"AXVMDISK"
ENTRY = TABLE + 8
PIECES = ENTRY + 4
MULTIBOOT = PIECES + 2 * 12
MODULE_COUNT = MULTIBOOT + 20
MODULE = MULTIBOOT + 22 * 4
COMMAND_LINE = 2 * SECTOR
COMMAND_LINE_MAX = 2 * SECTOR - 32

MULTIBOOT_MAGIC = 0x1BADB002
MULTIBOOT_ADDRESSES = 1 << 16
MULTIBOOT_SEARCH = 8192


class DiskError(Exception):
    pass


def read(path):
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise DiskError(f"{path}: {error.strerror}") from error


def image_addresses(path, image):
    """(load address, end of its memory, entry) from the Multiboot header."""
    for offset in range(0, min(len(image), MULTIBOOT_SEARCH) - 31, 4):
        magic, flags, checksum, header, load, _, end, entry = struct.unpack_from("<8I", image, offset)
        if magic == MULTIBOOT_MAGIC and (magic + flags + checksum) % LIMIT == 0 and flags & MULTIBOOT_ADDRESSES:
            if header - load != offset or not load <= entry < end:
                break
            return load, end, entry
    raise DiskError(f"{path}: has no Multiboot header with addresses in its first 8 KiB: is it axvm-demo.bin?")


def align(value, to):
    return -(-value // to) * to


def make(loader_path, image_path, bundle_path, words):
    disk = bytearray(read(loader_path))
    if len(disk) != LOADER_SIZE or disk[TABLE:ENTRY] != TABLE_MAGIC:
        raise DiskError(f"{loader_path}: is not axvm-disk.bin")
    if len(words.encode()) > COMMAND_LINE_MAX:
        raise DiskError(f"--append: is longer than {COMMAND_LINE_MAX} bytes")
    image = read(image_path)
    load, end, entry = image_addresses(image_path, image)
    pieces = [(load, image)]
    if bundle_path:
        bundle = read(bundle_path)
        start = align(end, PAGE)
        if not bundle or start + len(bundle) > LIMIT:
            raise DiskError(f"{bundle_path}: is empty or does not fit below 4 GiB")
        pieces.append((start, bundle))
        struct.pack_into("<I", disk, MODULE_COUNT, 1)
        struct.pack_into("<II", disk, MODULE, start, start + len(bundle))
    struct.pack_into("<I", disk, ENTRY, entry)
    # Like other Multiboot loaders: first the name of the image.
    line = f"axvm-demo.bin {words}".encode()
    disk[COMMAND_LINE:COMMAND_LINE + len(line)] = line
    for index, (address, data) in enumerate(pieces):
        struct.pack_into("<III", disk, PIECES + 12 * index, address, len(disk) // SECTOR, align(len(data), SECTOR) // SECTOR)
        disk += data.ljust(align(len(data), SECTOR), b"\0")
    return disk.ljust(align(len(disk), TRACK), b"\0")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", required=True, dest="output")
    parser.add_argument("--loader", required=True)
    parser.add_argument("--bundle")
    parser.add_argument("--append", default="")
    parser.add_argument("image")
    args = parser.parse_args()
    try:
        disk = make(args.loader, args.image, args.bundle, args.append)
    except DiskError as error:
        print(f"mkdisk.py: {error}", file=sys.stderr)
        return 2
    pathlib.Path(args.output).write_bytes(disk)
    print(f"cylinders {len(disk) // TRACK}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
