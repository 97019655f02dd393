"""Attention."""

from agreement import A, V, error, sample

NAME = "nn.functional.scaled_dot_product_attention"

for dtype in ("float16", "bfloat16", "float32", "float64"):
    sample(NAME, A((2, 3, 2), dtype), A((2, 4, 2), dtype), A((2, 4, 3), dtype))
    sample(NAME, A((2, 3, 2), dtype), A((2, 3, 2), dtype), A((2, 3, 2), dtype), is_causal=True)
for layout in ("transposed", "strided", "expanded"):
    sample(NAME, A((2, 3, 2), layout=layout), A((2, 4, 2), layout=layout), A((2, 4, 2), layout=layout))
for lead in ((), (2,), (2, 1, 2)):
    sample(NAME, A((*lead, 3, 2), "float64"), A((*lead, 2, 2), "float64"), A((*lead, 2, 3), "float64"))
Q, K, VALUE = A((2, 2, 3, 2), "float64"), A((2, 2, 3, 2), "float64"), A((2, 2, 3, 2), "float64")
sample(NAME, Q, K, VALUE, is_causal=True)
sample(NAME, A((1, 4, 2), "float64"), A((1, 2, 2), "float64"), A((1, 2, 2), "float64"), is_causal=True)
sample(NAME, A((1, 2, 2), "float64"), A((1, 4, 2), "float64"), A((1, 4, 2), "float64"), is_causal=True)
sample(NAME, A((2, 1, 2, 2), "float64"), A((1, 2, 3, 2), "float64"), A((2, 2, 3, 2), "float64"))
sample(NAME, A((2, 2, 2), "float64"), A((3, 2), "float64"), A((3, 2), "float64"))
for shape in ((3, 3), (2, 1, 3, 3), (1, 2, 1, 3), (2, 2, 3, 3)):
    sample(NAME, Q, K, VALUE, A(shape, "float64"))
sample(NAME, Q, K, VALUE, A((3, 1), "float64"), grad=False)  # whose gradient is rounding alone
sample(NAME, Q, K, VALUE, A((3,), "float64"), differs="one of PyTorch's kernels fails on a mask of one dimension; the others take it")
sample(NAME, Q, K, VALUE, attn_mask=V([[True, False, True], [True, True, False], [False, True, True]], "bool"))
sample(NAME, Q, K, VALUE, attn_mask=V([[True, False, True], [False, False, False], [False, True, True]], "bool"))
sample(NAME, Q, K, VALUE, attn_mask=V([[0.0, -float("inf"), 1.0], [-float("inf")] * 3, [0.5, 0.0, -1.0]], "float64"),
       check=False)  # fmt: skip
sample(NAME, A((2, 3, 2)), A((2, 3, 2)), A((2, 3, 2)), attn_mask=V([[True], [False], [True]], "bool"))
sample(NAME, A((1, 3, 2), "float16"), A((1, 3, 2), "float16"), A((1, 3, 2), "float16"), A((3, 3)))
for scale in (0.5, -1.0, 0.0):
    sample(NAME, Q, K, VALUE, scale=scale)
sample(NAME, Q, K, VALUE, None, 0.0, True, scale=2.0)
sample(NAME, A((1, 4, 2, 2), "float64"), A((1, 2, 2, 2), "float64"), A((1, 2, 2, 2), "float64"), enable_gqa=True)
sample(NAME, A((4, 2, 2), "float64"), A((1, 3, 2), "float64"), A((2, 3, 2), "float64"), enable_gqa=True)
sample(NAME, A((2, 2, 2)), A((2, 2, 2)), A((2, 2, 2)), dropout_p=1.0)
for q, k, v in (((2, 0, 2), (2, 3, 2), (2, 3, 2)), ((2, 2, 2), (2, 0, 2), (2, 0, 2)), ((0, 2, 2), (0, 3, 2), (0, 3, 2)),
                ((2, 2, 0), (2, 3, 0), (2, 3, 2))):  # fmt: skip
    sample(NAME, A(q), A(k), A(v))
sample(NAME, A((2, 3, 2), low=-300, high=300), A((2, 3, 2)), A((2, 3, 2)))
sample(NAME, query=A((2, 3, 2)), key=A((2, 3, 2)), value=A((2, 3, 2)), attn_mask=None)
error(NAME, A((2,)), A((2,)), A((2,)))
error(NAME, A((2, 3, 2)), A((2, 3, 3)), A((2, 3, 2)))
error(NAME, A((2, 3, 2)), A((2, 5, 2)), A((2, 3, 3)))  # PyTorch reads outside of values of the size of keys
error(NAME, A((2, 3, 2)), A((3, 3, 2)), A((3, 3, 2)))
error(NAME, A((2, 3, 2)), A((2, 3, 2), "float64"), A((2, 3, 2)))
error(NAME, A((2, 3, 2), "int32"), A((2, 3, 2), "int32"), A((2, 3, 2), "int32"))
error(NAME, A((2, 3, 2)), A((2, 3, 2)), A((2, 3, 2)), V([1, 2, 3], "int64"))
error(NAME, A((2, 3, 2)), A((2, 3, 2)), A((2, 3, 2)), A((5, 1, 3, 3)))
error(NAME, A((2, 3, 2)), A((2, 3, 2)), A((2, 3, 2)), A((3, 3)), is_causal=True)
error(NAME, A((2, 3, 2)), A((2, 3, 2)), A((2, 3, 2)), dropout_p=1.5)
error(NAME, A((1, 3, 2, 2)), A((1, 2, 2, 2)), A((1, 2, 2, 2)), enable_gqa=True)
error(NAME, A((2, 3, 2)), A((2, 3, 2)))
