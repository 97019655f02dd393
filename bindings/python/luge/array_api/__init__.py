"""The Python array API standard, version 2024.12, over luge's tensors.

    xp = x.__array_namespace__()
    xp.sum(xp.multiply(x, x), axis=-1)

Functions, arguments and dtypes are the standard's (https://data-apis.org/array-api/2024.12), gradients and captured steps
luge's. There are no complex numbers and hence no fft, and no uint16, uint32 and uint64: sums of uint8 are int64. What the
standard leaves open is PyTorch's: integers and floating numbers together are floating ones. Floats from Python are float32.
The operators of a tensor are PyTorch's, for which a 0-d tensor does not count in promotion; the functions here are the
standard's. `x.size` is PyTorch's method: its value is x.numel().
"""

import math as _math

from .._C import bool_ as bool
from .._C import float32 as float32
from .._C import float64 as float64
from .._C import int8 as int8
from .._C import int16 as int16
from .._C import int32 as int32
from .._C import int64 as int64
from .._C import uint8 as uint8
from . import linalg as linalg
from ._binary import *  # noqa: F403
from ._creation import *  # noqa: F403
from ._dtypes import *  # noqa: F403
from ._info import __array_namespace_info__ as __array_namespace_info__
from ._manipulation import *  # noqa: F403
from ._products import *  # noqa: F403
from ._reductions import *  # noqa: F403
from ._searching import *  # noqa: F403
from ._unary import *  # noqa: F403

__array_api_version__ = "2024.12"
e = _math.e
inf = _math.inf
nan = _math.nan
newaxis = None
pi = _math.pi
