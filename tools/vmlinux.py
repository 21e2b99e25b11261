#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Take the kernel's ELF file out of a Linux bzImage.

    vmlinux.py -o OUT BZIMAGE

The payload's place stands in the header of boot protocol 2.08 and later (Linux, x86/boot.rst). What it was
compressed with is told by its first bytes: gzip, xz, bzip2 and lzma need nothing else, lz4 and zstd the programs
of these names. Errors name the file; status 2, no output.
"""
import argparse
import bz2
import lzma
import pathlib
import shutil
import struct
import subprocess
import sys
import zlib

SECTOR = 512
SETUP_SECTS_AT, MAGIC_AT, VERSION_AT, PAYLOAD_AT = 0x1F1, 0x202, 0x206, 0x248
SETUP_SECTS_NONE = 4  # what 0 means
MAGIC = b"HdrS"
VERSION_OLDEST = 0x208
ELF_MAGIC = b"\x7fELF"
SIZE_FIELD = 4  # behind the payload: its size when it is unpacked


class VmlinuxError(Exception):
    pass


def by_program(name):
    def unpack(data):
        if not shutil.which(name):
            raise VmlinuxError(f"is compressed with {name}: install the program of this name")
        done = subprocess.run([name, "-d", "-c"], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            raise VmlinuxError(f"{name}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout
    return unpack


def by_object(make):
    def unpack(data):
        return make().decompress(data)
    return unpack


FORMATS = (
    (b"\x28\xb5\x2f\xfd", by_program("zstd")),
    (b"\x02\x21\x4c\x18", by_program("lz4")),
    (b"\x1f\x8b", by_object(lambda: zlib.decompressobj(31))),
    (b"\xfd7zXZ\0", by_object(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ))),
    (b"BZh", by_object(bz2.BZ2Decompressor)),
    (b"\x5d\0\0", by_object(lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE))),
)


def payload_of(image):
    """(compressed bytes, size that they have when they are unpacked)"""
    if len(image) < PAYLOAD_AT + 8 or image[MAGIC_AT:MAGIC_AT + 4] != MAGIC:
        raise VmlinuxError("is no bzImage")
    version, = struct.unpack_from("<H", image, VERSION_AT)
    if version < VERSION_OLDEST:
        raise VmlinuxError(f"has boot protocol {version >> 8}.{version & 0xFF:02}, which does not say where its payload is")
    setup = (1 + (image[SETUP_SECTS_AT] or SETUP_SECTS_NONE)) * SECTOR
    offset, length = struct.unpack_from("<II", image, PAYLOAD_AT)
    payload = image[setup + offset:setup + offset + length]
    if length <= SIZE_FIELD or len(payload) != length:
        raise VmlinuxError("ends before its payload does")
    return payload[:-SIZE_FIELD], struct.unpack("<I", payload[-SIZE_FIELD:])[0]


def unpack(data):
    for magic, decompress in FORMATS:
        if data.startswith(magic):
            try:
                return decompress(data)
            except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
                raise VmlinuxError(f"has a damaged payload: {error}") from error
    return data


def extract(image):
    data, size = payload_of(image)
    kernel = unpack(data)
    if not kernel.startswith(ELF_MAGIC):
        raise VmlinuxError("has a payload that is no ELF file, or is compressed in an unknown way")
    if kernel is not data and len(kernel) != size:
        raise VmlinuxError(f"has a payload of {len(kernel)} bytes, and says that they are {size}")
    return kernel


def main(argv=None):
    parser = argparse.ArgumentParser(prog="vmlinux.py", description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", required=True, type=pathlib.Path)
    parser.add_argument("image", type=pathlib.Path, metavar="BZIMAGE")
    args = parser.parse_args(argv)
    try:
        args.output.write_bytes(extract(args.image.read_bytes()))
    except VmlinuxError as error:
        print(f"vmlinux.py: {args.image}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"vmlinux.py: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
