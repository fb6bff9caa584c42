"""Linked lists and binary trees, which problems write as lists: a tree by levels, `None` for a child that is absent."""

import annotationlib


class ListNode:
    """A singly linked list."""

    def __init__(self, val=0, next=None):
        self.val = val
        self.next = next


class TreeNode:
    """A binary tree."""

    def __init__(self, val=0, left=None, right=None):
        self.val = val
        self.left = left
        self.right = right


def convert(function, arguments, names):
    """Makes nodes of the lists among `arguments` whose parameters are annotated so. `names` may have classes of the
    program's own. Also says whether the function is annotated to return nodes."""
    try:
        annotations = annotationlib.get_annotations(function, format=annotationlib.Format.STRING)
    except Exception:
        return arguments, False
    returns = annotations.pop("return", "")
    converted = [_convert(argument, text, names) for argument, text in zip(arguments, annotations.values())]
    return converted + arguments[len(converted) :], "ListNode" in returns or "TreeNode" in returns


def _convert(argument, annotation, names):
    for name, build in (("ListNode", _linked), ("TreeNode", _tree)):
        if name in annotation and (argument is None or type(argument) is list):
            node = names.get(name) or globals()[name]
            if "list[" in annotation.lower() and argument is not None:
                return [build(node, one or []) for one in argument]
            return build(node, argument or [])
    return argument


def _linked(node, values):
    first = None
    for value in reversed(values):
        rest, first = first, node(value)
        first.next = rest
    return first


def _tree(node, values):
    if not values or values[0] is None:
        return None
    root = node(values[0])
    level, rest = [root], iter(values[1:])
    while level:
        below = []
        for parent in level:
            for side in ("left", "right"):
                value = next(rest, None)
                if value is not None:
                    child = node(value)
                    setattr(parent, side, child)
                    below.append(child)
        level = below
    return root


def flatten(value, most):
    """The list of a node, or None if it is none. A cycle ends after `most` values."""
    fields = getattr(value, "__dict__", None)
    name = type(value).__name__
    if type(fields) is not dict or "val" not in fields:
        return None
    if name == "ListNode" and "next" in fields:
        values = []
        while value is not None and len(values) <= most:
            values.append(value.val)
            value = value.next
        return values
    if name == "TreeNode" and "left" in fields and "right" in fields:
        values, queue = [], [value]
        for value in queue:
            if value is None:
                values.append(None)
            else:
                values.append(value.val)
                queue += (value.left, value.right)
            if len(queue) > most:
                break
        while values and values[-1] is None:
            values.pop()
        return values
    return None
