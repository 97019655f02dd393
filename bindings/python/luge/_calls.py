"""Why a function of luge does not take the arguments of a call: what the TypeError says."""

from __future__ import annotations

import ast
import difflib
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

from . import _C

#: Written by NumPy's users, understood everywhere.
_OTHER_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def _signature(text: str) -> inspect.Signature:
    """Of "def f(a: int, *, b: bool = \\0) -> int", with annotations as syntax trees; \\0 stands for a default's number."""
    text = re.sub(r"\\\d+", "...", text).replace("def (", "def property(")
    definition = ast.parse(text + ": ...").body[0]
    assert isinstance(definition, ast.FunctionDef)
    given = definition.args
    parameters = []
    positional = [*given.posonlyargs, *given.args]
    first_default = len(positional) - len(given.defaults)

    def add(argument: ast.arg, kind: Any, optional: bool) -> None:
        default = None if optional else inspect.Parameter.empty
        parameters.append(inspect.Parameter(argument.arg, kind, default=default, annotation=argument.annotation))

    for number, argument in enumerate(positional):
        add(argument, inspect.Parameter.POSITIONAL_OR_KEYWORD, number >= first_default)
    if given.vararg:
        add(given.vararg, inspect.Parameter.VAR_POSITIONAL, False)
    for argument, default in zip(given.kwonlyargs, given.kw_defaults):
        add(argument, inspect.Parameter.KEYWORD_ONLY, default is not None)
    return inspect.Signature(parameters)


def _type(name: str) -> Any:
    """The type that luge shows under a name; None where there is none."""
    for owner in (_C, _C._optim, _C._lr_scheduler, _C._data):
        found = getattr(owner, name, None)
        if isinstance(found, type):
            return found
    return None


def _misfit(value: Any, kind: ast.expr | None, where: str) -> tuple[str, Any, ast.expr | None] | None:
    """What of a value is not what an annotation says: where, the part, and what it must be. In doubt it fits."""
    wrong = (where, value, kind)
    if isinstance(kind, ast.BinOp):
        left, right = _misfit(value, kind.left, where), _misfit(value, kind.right, where)
        return None if left is None or right is None else right if right[0] != where else wrong
    if isinstance(kind, ast.Constant):
        return wrong if kind.value is None and value is not None else None
    inner: list[ast.expr] = []
    if isinstance(kind, ast.Subscript):
        inner = kind.slice.elts if isinstance(kind.slice, ast.Tuple) else [kind.slice]
        kind = kind.value
    name = kind.attr if isinstance(kind, ast.Attribute) else kind.id if isinstance(kind, ast.Name) else ""
    if name in ("Sequence", "Iterable", "list", "tuple"):
        if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
            return wrong
        parts = list(value) if isinstance(value, (list, tuple)) and len(inner) == 1 else []
        found = [_misfit(part, inner[0], f"{where}[{number}]") for number, part in enumerate(parts)]
        return next((misfit for misfit in found if misfit), None)
    own = _type(name)
    fits = {
        "dict": isinstance(value, Mapping),
        "Callable": callable(value),
        "int": hasattr(value, "__index__"),
        "float": hasattr(value, "__float__") or hasattr(value, "__index__"),
        "bool": isinstance(value, bool),
        "str": isinstance(value, str),
        "PathLike": hasattr(value, "__fspath__"),
    }.get(name, own is None or isinstance(value, own))
    return None if fits else wrong


def _words(kind: ast.expr | None) -> str:
    """An annotation as users read it."""
    if kind is None:
        return "anything"
    text = re.sub(r"[\w.]+\.(\w+)", r"\1", ast.unparse(kind))
    return " or ".join(text.split(" | "))


def _given(value: Any) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"


def _list(names: list[str]) -> str:
    return ", ".join(names) if names else "none"


def refused(function: Any, name: str, args: list[Any], keywords: dict[str, Any]) -> str:
    """What to say of a call of a function of luge._C whose arguments do not fit."""
    parameters = _signature(function.__nb_signature__[0][0]).parameters
    kinds = {p.name: p.annotation for p in parameters.values()}
    places = [p for p in parameters.values() if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    is_method = bool(places) and places[0].name == "self"
    named = [p.name for p in parameters.values() if p.kind is not inspect.Parameter.VAR_POSITIONAL and p.name != "self"]
    if is_method and function.__qualname__:
        kinds["self"] = ast.Name(function.__qualname__.split(".")[0])
    values: dict[str, Any] = {}
    for place, value in zip(places, args):
        values[place.name] = value
    if len(args) > len(places) and not any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters.values()):
        most = len(places) - is_method
        taken = _list([p.name for p in places[is_method:]])
        keyword_only = [p.name for p in parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]
        rest = f"; {_list(keyword_only)} by keyword only" if keyword_only else ""
        return f"{name}: {len(args) - is_method} arguments are given; at most {most} are taken by position ({taken}){rest}"
    for keyword, value in keywords.items():
        own = _OTHER_NAMES.get(keyword, keyword)
        if own not in named:
            near = difflib.get_close_matches(own, named, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            return f"{name}: there is no argument '{keyword}'{hint} (allowed: {_list(named)})"
        if own in values:
            return f"{name}: {own} is given twice"
        values[own] = value
    for parameter in parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            continue
        if parameter.name not in values:
            if parameter.default is inspect.Parameter.empty:
                return f"{name}: {parameter.name} is missing; the arguments are {_list(named)}"
            continue
        misfit = _misfit(values[parameter.name], kinds.get(parameter.name), parameter.name)
        if misfit:
            where, value, kind = misfit
            return f"{name}: {where} is {_given(value)}; it must be {_words(kind)}"
    for key, value in values.items():  # all types are right, so a number does not fit into C++'s type
        if isinstance(value, int) and not 0 <= value < 2**31:
            return f"{name}: {key} is {value}, which is out of range"
    shown = [type(value).__name__ for value in args] + [f"{key}={type(value).__name__}" for key, value in keywords.items()]
    return f"{name}: the arguments ({', '.join(shown)}) do not fit; the arguments are {_list(named)}"
