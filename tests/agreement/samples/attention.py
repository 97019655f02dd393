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

HEADS = "nn.functional.multi_head_attention_forward"


def heads(sizes, size=2, bias=True, bias_kv=False, zero=False, dtype="float64", **options):
    """Of one head or two, with weights of the embedding's size."""
    q, k, v = (A(shape, dtype) for shape in sizes)
    biases = (A((3 * size,), dtype), A((size,), dtype)) if bias else (None, None)
    more = (A((1, 1, size), dtype), A((1, 1, size), dtype)) if bias_kv else (None, None)
    sample(HEADS, q, k, v, size, 2, A((3 * size, size), dtype), biases[0], *more, zero, 0.0, A((size, size), dtype), biases[1],
           check=False, forms=False, **options)  # fmt: skip


BATCH, ONE = ((3, 2, 2), (2, 2, 2), (2, 2, 2)), ((3, 2), (2, 2), (2, 2))
for dtype in ("float32", "float64"):
    for sizes in (BATCH, ONE):
        heads(sizes, dtype=dtype)
        heads(sizes, dtype=dtype, need_weights=False)
for sizes in (BATCH, ONE):
    heads(sizes, bias=False)
    heads(sizes, bias_kv=True)
    heads(sizes, zero=True, training=False)
    heads(sizes, bias_kv=True, zero=True, need_weights=False, tol=2000)  # PyTorch finds weights again from their logarithms
    heads(sizes, average_attn_weights=False)
    heads(sizes, attn_mask=A((3, 2), "float64"))
    heads(sizes, attn_mask=V([[False, True], [False, False], [True, False]], "bool"), need_weights=False)
heads(BATCH, attn_mask=A((4, 3, 2), "float64"))
heads(BATCH, key_padding_mask=V([[False, True], [False, False]], "bool"))
heads(BATCH, key_padding_mask=A((2, 2), "float64"), attn_mask=A((3, 2), "float64"), need_weights=False)
heads(ONE, key_padding_mask=V([False, True], "bool"))
heads(BATCH, attn_mask=V([[False, True], [False, False], [False, False]], "bool"), is_causal=True, need_weights=False)
separate = {"use_separate_proj_weight": True, "q_proj_weight": A((2, 2), "float64"), "k_proj_weight": A((2, 3), "float64"),
            "v_proj_weight": A((2, 1), "float64")}  # fmt: skip
sample(HEADS, A((3, 2, 2), "float64"), A((2, 2, 3), "float64"), A((2, 2, 1), "float64"), 2, 1, None, A((6,), "float64"), None, None,
       False, 0.0, A((2, 2), "float64"), None, check=False, forms=False, **separate)  # fmt: skip
IN, OUT = A((6, 2)), A((2, 2))
for q, k, v in (((3, 2, 3), (2, 2, 3), (2, 2, 3)), ((3, 2, 2), (2, 2, 2), (4, 2, 2)), ((2,), (2,), (2,))):
    error(HEADS, A(q), A(k), A(v), 2, 1, IN, None, None, None, False, 0.0, OUT, None)
GOOD = (A((3, 2, 2)), A((2, 2, 2)), A((2, 2, 2)))
error(HEADS, *GOOD, 2, 3, IN, None, None, None, False, 0.0, OUT, None)
error(HEADS, *GOOD, 3, 1, IN, None, None, None, False, 0.0, OUT, None)
error(HEADS, *GOOD, 2, 1, IN, None, A((1, 1, 2)), None, False, 0.0, OUT, None)
error(HEADS, *GOOD, 2, 1, IN, None, None, None, False, 0.0, OUT, None, attn_mask=A((2, 3)))
error(HEADS, *GOOD, 2, 1, IN, None, None, None, False, 0.0, OUT, None, is_causal=True)
error(HEADS, *GOOD, 2, 1, None, None, None, None, False, 0.0, OUT, None)
