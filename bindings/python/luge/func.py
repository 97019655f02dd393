"""Functions made of functions: gradients, products with Jacobians, Jacobians and Hessians, as in torch.func.

A function takes tensors, or tuples, lists and dicts of them, and is differentiated with respect to the arguments that
`argnums` names. What comes back can be differentiated in turn, by these functions or by backward().
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Union

from . import _C, autograd
from ._C import DTypeError, ShapeError, Tensor
from ._names import missing as _missing

__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "vjp"]

_Argnums = Union[int, tuple[int, ...]]


def _flat(tree: Any, call: str, what: str) -> list[Tensor]:
    """The tensors of a tree, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = tuple(tree.values())
    if not isinstance(tree, (tuple, list)):
        kind = type(tree).__name__
        raise TypeError(f"{call}: {what} holds a {kind}; it must be a tensor, or a tuple, list or dict of them")
    return [tensor for part in tree for tensor in _flat(part, call, what)]


def _mapped(tree: Any, of_leaf: Callable[[Any], Any]) -> Any:
    """A tree of the same form: its leaves, in order, are what `of_leaf` makes of those of `tree`."""
    if isinstance(tree, dict):
        return {key: _mapped(value, of_leaf) for key, value in tree.items()}
    if isinstance(tree, (tuple, list)):
        parts = [_mapped(value, of_leaf) for value in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return of_leaf(tree)


def _like(tree: Any, leaves: Sequence[Any]) -> Any:
    """A tree of the same form with other leaves."""
    rest = iter(leaves)
    return _mapped(tree, lambda _: next(rest))


def _detached(tree: Any) -> Any:
    """Tensors without their history; anything else as it is."""
    return _mapped(tree, lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf)


class _Call:
    """One call of a function, recorded from arguments of its own on."""

    def __init__(
        self,
        call: str,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        argnums: _Argnums,
        has_aux: bool,
    ) -> None:
        self.call = call
        if not callable(func):
            raise TypeError(f"{call}: func is of type {type(func).__name__}; it must be callable")
        numbers = argnums if isinstance(argnums, tuple) else (argnums,)
        if not all(type(number) is int for number in numbers):
            raise TypeError(f"{call}: argnums is {argnums!r}; it must be an int or a tuple of ints")
        places = []
        for number in numbers:
            if not -len(args) <= number < len(args):
                raise ValueError(f"{call}: argnums has {number}; there are {len(args)} positional arguments")
            places.append(number % len(args))
        if len(set(places)) != len(places):
            raise ValueError(f"{call}: argnums {argnums} names an argument twice")
        chosen = tuple(args[place] for place in places)
        #: The chosen arguments: one as it is, several as a tuple.
        self.tree: Any = chosen if isinstance(argnums, tuple) else chosen[0]
        given = _flat(self.tree, call, "a differentiated argument")
        for tensor in given:
            if not tensor.is_floating_point():
                raise DTypeError(f"{call}: a differentiated argument is {tensor.dtype}; it must be floating")
        recording = _C.is_grad_enabled()
        with autograd.enable_grad():
            # Each is the result of an operation: gradients stop at them, whatever came before.
            made = [_C._as_argument(tensor if recording else tensor.detach()) for tensor in given]
            self.inputs: list[Tensor] = [one for one, _ in made]
            entered = list(args)
            for place, value in zip(places, _like(chosen, [inside for _, inside in made])):
                entered[place] = value
            result = func(*entered, **kwargs)
        self.aux: Any = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise TypeError(f"{call}: with has_aux the function must return a pair of an output and something else")
            result, self.aux = result
        self.output: Any = result
        self.outputs = _flat(result, call, "the output")
        for tensor in self.outputs:
            if not tensor.is_floating_point():
                raise DTypeError(f"{call}: the output is {tensor.dtype}; it must be floating")
        alone = _C._stands_alone(self.outputs, self.inputs)
        #: Whether the graph is another one's, too, and must stay.
        self.shared = not alone
        #: Whether what comes out has derivatives beyond these.
        self.recorded = recording and (any(tensor.requires_grad for tensor in given) or not alone)

    def finished(self, tree: Any) -> Any:
        return tree if self.recorded else _detached(tree)

    def gradients(
        self, outputs: Sequence[Tensor], cotangents: Sequence[Tensor], create_graph: bool, retain_graph: bool = True
    ) -> list[Tensor]:
        """Of the inputs; zeros where nothing depends on them."""
        return _gradients(outputs, self.inputs, cotangents, create_graph, retain_graph)

    def seeds(self) -> tuple[list[Tensor], list[Tensor]]:
        """The products of cotangents with the Jacobian, and the cotangents, for what is linear in them."""
        with autograd.enable_grad():
            cotangents = [_C._as_argument(_C.zeros_like(output))[0] for output in self.outputs]
            return self.gradients(self.outputs, cotangents, True), cotangents


def _gradients(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    weights: Sequence[Tensor],
    create_graph: bool,
    retain_graph: bool,
) -> list[Tensor]:
    pairs = [(output, weight) for output, weight in zip(outputs, weights) if output.requires_grad]
    found: Sequence[Tensor | None] = [None] * len(inputs)
    if pairs and inputs:
        found = autograd.grad(
            [output for output, _ in pairs], inputs, [weight for _, weight in pairs],
            retain_graph=retain_graph, create_graph=create_graph, allow_unused=True,
        )  # fmt: skip
    return [_C.zeros_like(of) if one is None else one for of, one in zip(inputs, found)]


def _units(like: Tensor) -> list[Tensor]:
    """Each has a one at another element."""
    rows = _C.eye(like.numel(), dtype=like.dtype, device=like.device)
    return [rows[number].reshape(like.shape) for number in range(like.numel())]


def grad_and_value(func: Callable[..., Any], argnums: _Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """As grad(), of a function that returns (gradient, value), or (gradient, (value, aux)).

    >>> luge.func.grad_and_value(lambda x: x * x)(luge.tensor(3.0))
    (tensor(6.), tensor(9.))
    """
    return _gradient_of("grad_and_value", func, argnums, has_aux)


def _gradient_of(name: str, func: Callable[..., Any], argnums: _Argnums, has_aux: bool) -> Callable[..., Any]:
    def of(*args: Any, **kwargs: Any) -> Any:
        call = _Call(name, func, args, kwargs, argnums, has_aux)
        if not isinstance(call.output, Tensor):
            raise TypeError(f"{name}: the function returned a {type(call.output).__name__}; it must return a tensor")
        if call.output.shape != ():
            raise ShapeError(f"{name}: the function returned a tensor of shape {call.output.shape}; it must be 0-d")
        one = _C.ones_like(call.output)
        found = _like(call.tree, call.gradients([call.output], [one], call.recorded, call.shared or call.recorded))
        value = call.finished(call.output)
        return call.finished(found), (value, call.finished(call.aux)) if has_aux else value

    return of


def grad(func: Callable[..., Any], argnums: _Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that gives the gradient of `func`, which returns a 0-d tensor.

    A gradient has the form of the argument: a tensor, or a tuple, list or dict of them; several arguments have a tuple.
    With `has_aux` func returns (value, aux), and the result is (gradient, aux).

    >>> slope = luge.func.grad(lambda x: x * x * x)
    >>> slope(luge.tensor(2.0)), luge.func.grad(slope)(luge.tensor(2.0))
    (tensor(12.), tensor(12.))
    """
    both = _gradient_of("grad", func, argnums, has_aux)

    def of(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return of


def _matching(call: str, what: str, tree: Any, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors of `tree`, which must be as `tensors` are."""
    found = _flat(tree, call, what)
    if len(found) != len(tensors):
        raise ValueError(f"{call}: {what} holds {len(found)} tensors; it must hold {len(tensors)}")
    for one, tensor in zip(found, tensors):
        if one.shape != tensor.shape:
            raise ShapeError(f"{call}: {what} holds a tensor of shape {one.shape}; it must be {tensor.shape}")
        if one.dtype != tensor.dtype:
            raise DTypeError(f"{call}: {what} holds a tensor of {one.dtype}; it must be {tensor.dtype}")
    return found


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """(output, product), or (output, product, aux): `product(v)` is v times the Jacobian, with one entry per primal.

    `v` has the form of the output; of several outputs each may be an argument of its own.

    >>> output, product = luge.func.vjp(luge.sin, luge.tensor([0.0, 1.0]))
    >>> product(luge.ones(2))
    (tensor([1.0000, 0.5403]),)
    """
    call = _Call("vjp", func, primals, {}, tuple(range(len(primals))), has_aux)

    def product(*cotangents: Any) -> Any:
        tree = cotangents[0] if len(cotangents) == 1 else cotangents
        weights = _matching("vjp", "the cotangent", tree, call.outputs)
        recorded = _C.is_grad_enabled() and (call.recorded or any(weight.requires_grad for weight in weights))
        found = call.gradients(call.outputs, weights, recorded)
        return _like(primals, found)

    output = call.finished(call.output)
    return (output, product, call.finished(call.aux)) if has_aux else (output, product)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, has_aux: bool = False) -> Any:
    """(output, product), or (output, product, aux): the Jacobian times `tangents`, in the form of the output.

    `primals` and `tangents` are tuples with an entry for each argument. It is the derivative, in the direction of the
    tangents, of the gradient as a function of the cotangent, in which it is linear: it costs one forward and two
    backward passes, whatever the sizes.

    >>> luge.func.jvp(luge.sin, (luge.tensor([0.0, 1.0]),), (luge.tensor([1.0, 2.0]),))
    (tensor([0.0000, 0.8415]), tensor([1.0000, 1.0806]))
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError("jvp: primals and tangents must be tuples, with an entry for each argument")
    call = _Call("jvp", func, tuple(primals), {}, tuple(range(len(primals))), has_aux)
    directions = _matching("jvp", "tangents", tuple(tangents), call.inputs)
    recorded = _C.is_grad_enabled() and (call.recorded or any(one.requires_grad for one in directions))
    products, cotangents = call.seeds()
    found = _like(call.output, _gradients(products, cotangents, directions, recorded, recorded or call.shared))
    output = call.finished(call.output)
    return (output, found, call.finished(call.aux)) if has_aux else (output, found)


def jacrev(func: Callable[..., Any], argnums: _Argnums = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """The function that gives the Jacobian of `func`, row by row: a backward pass for each element of the output.

    Of an output of shape S and an argument of shape T it has the shape S + T. Where the output or the argument is a
    tuple, list or dict, or there are several arguments, the result has the form of the output, with the form of the
    arguments in it.

    >>> luge.func.jacrev(luge.square)(luge.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    def of(*args: Any, **kwargs: Any) -> Any:
        call = _Call("jacrev", func, args, kwargs, argnums, has_aux)
        jacobians = []
        for output in call.outputs:
            rows = [call.gradients([output], [unit], call.recorded) for unit in _units(output)]
            found = [
                _C.stack([row[number] for row in rows]).reshape(output.shape + one.shape)
                if rows else _C.zeros(output.shape + one.shape, dtype=one.dtype, device=one.device)
                for number, one in enumerate(call.inputs)
            ]  # fmt: skip
            jacobians.append(_like(call.tree, found))
        result = call.finished(_like(call.output, jacobians))
        return (result, call.finished(call.aux)) if has_aux else result

    return of


def jacfwd(func: Callable[..., Any], argnums: _Argnums = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """The function that gives the Jacobian of `func` as jacrev() does, column by column.

    That is a forward pass, a backward pass, and one more (see jvp) for each element of the arguments: the way to go
    where there are fewer of them than of the output's.

    >>> luge.func.jacfwd(luge.square)(luge.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    def of(*args: Any, **kwargs: Any) -> Any:
        call = _Call("jacfwd", func, args, kwargs, argnums, has_aux)
        products, cotangents = call.seeds()
        columns = [
            [_gradients([product], cotangents, [unit], call.recorded, True) for unit in _units(product)]
            for product in products
        ]
        jacobians = []
        for number, output in enumerate(call.outputs):
            found = [
                _C.stack([column[number] for column in of_one], -1).reshape(output.shape + one.shape)
                if of_one else _C.zeros(output.shape + one.shape, dtype=output.dtype, device=output.device)
                for of_one, one in zip(columns, call.inputs)
            ]  # fmt: skip
            jacobians.append(_like(call.tree, found))
        result = call.finished(_like(call.output, jacobians))
        return (result, call.finished(call.aux)) if has_aux else result

    return of


def hessian(func: Callable[..., Any], argnums: _Argnums = 0) -> Callable[..., Any]:
    """The function that gives the second derivatives of `func`: jacfwd(jacrev(func)).

    >>> luge.func.hessian(lambda x: (x * x * x).sum())(luge.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
