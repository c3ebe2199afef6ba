"""Griffe's extension: how the site's reference shows classes and docstrings."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import griffe

MAKE_CONSTRUCTORS = {'flax.linen.Module', 'flax.struct.PyTreeNode', 'msgspec.Struct', 'typing.NamedTuple'}
"""Base classes that make a constructor from a class's annotated attributes, as `dataclass` does."""

SHARED_LINE = re.compile(r'^    (\*{0,2}\w+(?:, \*{0,2}\w+)+)(: .+(?:\n {8}.+)*)', re.MULTILINE)
"""A docstring's line on several arguments or attributes, and the lines that continue it."""


class Reference(griffe.Extension):
    """Shows the fields of a class in the signature of its constructor, and each name of a docstring on a line."""

    def on_module_node(self, *, node: ast.Module, **_: Any) -> None:
        """Splits `A, B = 1, 2` into two assignments, with the same docstring: Griffe skips assignments to a tuple."""
        body = []
        for statement, following in pairwise([*node.body, None]):
            parts = _split(statement) if isinstance(statement, ast.Assign) else [statement]
            is_documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            for part in parts[:-1]:
                body += [part, ast.copy_location(ast.Expr(following.value), following)] if is_documented else [part]
            body.append(parts[-1])
        node.body = body

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Marks classes with such bases as dataclasses. Griffe's own extension, the next, makes their constructors."""
        for cls in _classes(pkg):
            if _has_constructor_from_fields(cls):
                cls.decorators.append(griffe.Decorator(griffe.ExprName('dataclasses.dataclass'), lineno=0, endlineno=0))

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Gives a constructor that is made from fields the source of its class. Hides the fields without docstrings."""
        constructor = cls.members.get('__init__')
        if constructor and not constructor.lineno:
            constructor.lineno, constructor.endlineno = cls.lineno, cls.endlineno
            for member in cls.members.values():
                if member.is_attribute and not member.docstring:
                    member.public = False

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Makes a line on several names a line on each, which gets its type. Hides undocumented special methods."""
        if obj.docstring:
            obj.docstring.value = SHARED_LINE.sub(
                lambda line: '\n'.join(f'    {name}{line[2]}' for name in line[1].split(', ')), obj.docstring.value
            )
        elif obj.is_special:
            obj.public = False


def _split(assignment: ast.Assign) -> list[ast.Assign]:
    """Returns an assignment for each name on the left side."""
    parts = []
    for target in assignment.targets:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        has_values = isinstance(target, ast.Tuple) and isinstance(assignment.value, ast.Tuple)
        values = assignment.value.elts if has_values else [assignment.value] * len(names)
        parts += [ast.Assign([name], value) for name, value in zip(names, values, strict=True)]
    return [ast.copy_location(part, assignment) for part in parts]


def _classes(parent: griffe.Object) -> Iterator[griffe.Class]:
    """Yields all classes in a package, without those that it imports."""
    for member in parent.members.values():
        if isinstance(member, griffe.Class):
            yield member
        if isinstance(member, griffe.Class | griffe.Module):
            yield from _classes(member)


def _has_constructor_from_fields(cls: griffe.Class) -> bool:
    """Returns whether a base, or a base's base in the package, is one of MAKE_CONSTRUCTORS."""
    named = any(isinstance(base, griffe.Expr) and base.canonical_path in MAKE_CONSTRUCTORS for base in cls.bases)
    return named or any(
        isinstance(base, griffe.Class) and _has_constructor_from_fields(base) for base in cls.resolved_bases
    )
