# SPDX-License-Identifier: Apache-2.0
"""Write and read flattened device trees (Devicetree Specification 0.4, chapter 5), version 17.

Deterministic: properties and children keep the order in which they were added.
"""
import dataclasses
import struct

MAGIC = 0xD00DFEED
VERSION, LAST_COMPATIBLE = 17, 16
BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9
HEADER = struct.Struct(">10I")
RESERVE_END = bytes(16)


class FdtError(Exception):
    pass


@dataclasses.dataclass
class Node:
    name: str = ""
    props: dict[str, bytes] = dataclasses.field(default_factory=dict)
    children: list["Node"] = dataclasses.field(default_factory=list)

    def add(self, name):
        child = Node(name)
        self.children.append(child)
        return child


def u32(*values):
    return struct.pack(f">{len(values)}I", *values)


def u64(*values):
    return struct.pack(f">{len(values)}Q", *values)


def string(text):
    return text.encode() + b"\0"


def _pad4(data):
    return data + b"\0" * (-len(data) % 4)


class _Strings:
    def __init__(self):
        self.block = b""
        self._offsets = {}

    def offset(self, name):
        if name not in self._offsets:
            self._offsets[name] = len(self.block)
            self.block += string(name)
        return self._offsets[name]


def _node_bytes(node, strings):
    parts = [u32(BEGIN_NODE), _pad4(string(node.name))]
    for name, value in node.props.items():
        parts.append(u32(PROP, len(value), strings.offset(name)) + _pad4(value))
    parts += [_node_bytes(child, strings) for child in node.children]
    parts.append(u32(END_NODE))
    return b"".join(parts)


def serialise(root):
    """The device tree with `root` at its top as bytes. Its size depends on names and lengths only."""
    strings = _Strings()
    structure = _node_bytes(root, strings) + u32(END)
    reserve_at = HEADER.size
    structure_at = reserve_at + len(RESERVE_END)
    strings_at = structure_at + len(structure)
    total = strings_at + len(_pad4(strings.block))
    header = HEADER.pack(MAGIC, total, structure_at, strings_at, reserve_at, VERSION,
                         LAST_COMPATIBLE, 0, len(strings.block), len(structure))
    return header + RESERVE_END + structure + _pad4(strings.block)


class _Reader:
    def __init__(self, blob):
        if len(blob) < HEADER.size:
            raise FdtError("shorter than a device tree header")
        (magic, total, struct_at, strings_at, _, version, compatible, _,
         strings_size, struct_size) = HEADER.unpack_from(blob)
        if magic != MAGIC:
            raise FdtError(f"magic is {magic:#010x}, not {MAGIC:#010x}")
        if version < VERSION or compatible > VERSION:
            raise FdtError(f"device tree version {version} is not readable")
        if total > len(blob) or struct_at + struct_size > total or strings_at + strings_size > total:
            raise FdtError("device tree is truncated")
        self._structure = blob[struct_at:struct_at + struct_size]
        self._strings = blob[strings_at:strings_at + strings_size]
        self._at = 0

    def _take(self, size):
        if self._at + size > len(self._structure):
            raise FdtError("device tree structure is truncated")
        data = self._structure[self._at:self._at + size]
        self._at += size + (-size % 4)
        return data

    def _word(self):
        return struct.unpack(">I", self._take(4))[0]

    @staticmethod
    def _text(block, start):
        end = block.find(b"\0", start)
        if end < 0 or start >= len(block):
            raise FdtError("unterminated name")
        return block[start:end].decode("ascii", "replace"), end + 1 - start

    def _name(self):
        name, size = self._text(self._structure, self._at)
        self._take(size)
        return name

    def tree(self):
        if self._word() != BEGIN_NODE:
            raise FdtError("no root node")
        root = self._node()
        if self._word() != END:
            raise FdtError("data after the root node")
        return root

    def _node(self):
        node = Node(self._name())
        while True:
            token = self._word()
            if token == END_NODE:
                return node
            if token == BEGIN_NODE:
                node.children.append(self._node())
            elif token == PROP:
                size, name_at = self._word(), self._word()
                node.props[self._text(self._strings, name_at)[0]] = self._take(size)
            elif token != NOP:
                raise FdtError(f"unknown token {token}")


def parse(blob):
    """The root node of the device tree at the start of `blob`; FdtError if it is malformed."""
    try:
        return _Reader(blob).tree()
    except RecursionError:
        raise FdtError("nodes are nested too deeply") from None
