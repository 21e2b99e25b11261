# SPDX-License-Identifier: Apache-2.0
"""Changes of a device tree, as functions of its root. A path is names without unit address, like "soc/plic"."""


def find(root, path):
    """(parent, node) of `path`."""
    parent, node = None, root
    for name in path.split("/"):
        parent, node = node, next(child for child in node.children if child.name.split("@")[0] == name)
    return parent, node


def dropping(path):
    def change(root):
        parent, node = find(root, path)
        parent.children.remove(node)
    return change


def setting(path, prop, value):
    """Without a value, the property goes."""
    def change(root):
        props = find(root, path)[1].props
        if value is None:
            del props[prop]
        else:
            props[prop] = value
    return change
