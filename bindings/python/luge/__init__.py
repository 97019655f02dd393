"""luge: a CUDA-accelerated tensor engine for training, under the names that PyTorch users know.

    import luge

    params = luge.Parameters(sets=1_000_000)
    x = params.add("x", (), luge.init.constant(-1))
    optimizer = luge.optim.SGD(params, lr=0.01)

    @luge.capture
    def step():
        optimizer.zero_grad()
        loss = 3 * x**2 - 2 * x + 3
        loss.sum().backward()
        optimizer.step()
        return loss

    step.run(80)
"""

import typing as _typing
from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi

from ._C import *  # noqa: F403  every operation, so that a new one appears by itself
from . import _C
from . import amp as amp
from . import array_api as array_api
from . import autograd as autograd
from . import checkpoint as checkpoint
from . import cuda as cuda
from . import data as data
from . import fit as fit
from . import func as func
from . import init as init
from . import linalg as linalg
from . import nn as nn
from . import optim as optim
from . import population as population
from . import special as special
from . import stop as stop
from . import sweep as sweep
from . import utils as utils
from ._in_place_functions import *  # noqa: F403
from ._layer_functions import *  # noqa: F403
from ._recurrent_functions import *  # noqa: F403
from ._capture import capture as capture
from ._files import load as load
from ._files import save as save
from ._generator import Generator as Generator
from ._monitor import History as History
from ._monitor import Monitor as Monitor
from ._names import missing as _missing
from ._names import refuse as _refuse
from ._pickle import register as _register
from .amp import autocast as autocast
from .autograd import enable_grad as enable_grad
from .autograd import inference_mode as inference_mode
from .autograd import no_grad as no_grad
from .autograd import set_grad_enabled as set_grad_enabled
from .fit import model as model

__version__: str = _C._version
_register()
_refuse(_C.Tensor)

# Types are known by where users find them.
for _value in vars(_C).values():
    if isinstance(_value, type):
        _value.__module__ = "luge"

# PyTorch's other names.
if _typing.TYPE_CHECKING:
    Size = tuple[_typing.SupportsIndex, ...]
else:
    Size = tuple
newaxis = None
bool = bool_
half = float16
float = float32
double = float64
short = int16
int = int32
long = int64

if not _typing.TYPE_CHECKING:
    __getattr__ = _missing(__name__)
