"""einsum and the products that have names of their own; distances."""

from agreement import DTYPES, FLOATING, INTEGER, A, V, error, sample

NUMBERS = (*INTEGER, *FLOATING)

FORMS = (
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ij,jk->ki", (2, 3), (3, 4)), ("ij,kj->ik", (2, 3), (4, 3)),
    ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)), ("bij,jk->bik", (2, 2, 3), (3, 2)), ("i,j->ij", (2,), (3,)), ("i,i->", (3,), (3,)),
    ("i,i->i", (3,), (3,)), ("bi,bj->bij", (2, 3), (2, 2)), ("bij->b", (2, 3, 2)), ("ij->", (2, 3)), ("ij->ji", (2, 3)), ("ba", (2, 3)),
    ("ii->i", (3, 3)), ("ii", (3, 3)), ("ii->", (3, 3)), ("iij->ij", (2, 2, 3)), ("iji->j", (2, 3, 2)), ("ijji->ij", (2, 3, 3, 2)),
    ("bhqd,bhkd->bhqk", (1, 2, 3, 2), (1, 2, 2, 2)), ("bhqk,bhkd->bqhd", (1, 2, 3, 2), (1, 2, 2, 2)), ("bn,anm,bm->ba", (2, 3), (2, 3, 2), (2, 2)),
    ("ij,jk,kl->il", (2, 3), (3, 2), (2, 4)), ("i,ij,j->", (2,), (2, 3), (3,)), ("ij,ij->", (2, 3), (2, 3)), ("ij,ij->i", (2, 3), (2, 3)),
    ("ij,i->ij", (2, 3), (2,)), ("ij,j->i", (2, 3), (3,)), ("i,ij->j", (2,), (2, 3)), ("ijk,kl->ijl", (2, 2, 3), (3, 2)),
    ("ijk,ljk->il", (2, 2, 3), (2, 2, 3)), ("ijk,jil->kl", (2, 3, 2), (3, 2, 2)), ("...ij,...jk->...ik", (2, 2, 3), (3, 2)),
    ("...ij,...jk->...ik", (2, 1, 2, 3), (3, 3, 2)), ("i...->...", (2, 3)), ("...i->...", (2, 3)), ("i...j->ij...", (2, 3, 2)), ("...", (2, 3)),
    ("...->", (2, 3)), ("...,...", (2, 3), (3,)), ("i...,i...", (2, 3), (2, 1)), ("...ii->...i", (2, 3, 3)), ("Ij,jA", (2, 3), (3, 2)),
    ("aB,Ba->a", (2, 3), (3, 2)), (" i j , j k -> i k ", (2, 3), (3, 2)), ("ij , jk", (2, 2), (2, 2)), (",", (), ()), (",i->i", (), (3,)), ("", ()),
    ("->", ()), ("i,i->i", (1,), (3,)), ("ij,jk->ik", (2, 1), (3, 4)), ("ij,jk->ik", (0, 3), (3, 2)), ("ij,jk->ik", (2, 0), (0, 2)),
    ("ij,ik,il->ijkl", (2, 2), (2, 1), (2, 3)), ("ij,jk,kl,lm->im", (2, 2), (2, 3), (3, 2), (2, 2)), ("i,i,i->i", (3,), (3,), (3,)),
    ("i...->i", (2, 3)), ("ijk->kji", (2, 3, 2)), ("ik,jkl,il->ij", (2, 3), (2, 3, 2), (2, 2)), ("bqhd,bkhd->bhqk", (1, 2, 2, 3), (1, 3, 2, 3)),
    ("...i,...j->...ij", (2, 2), (2, 3)), ("i,j,k->ijk", (2,), (2,), (2,)), ("ij,kl->ijkl", (2, 2), (1, 2)), ("abcd,cdef->abef", (1, 2, 2, 2), (2, 2, 1, 2)),
)  # fmt: skip
for equation, *shapes in FORMS:
    sample("einsum", equation, *[A(shape, "float64") for shape in shapes])
    sample("einsum", equation, *[A(shape) for shape in shapes])
    sample("einsum", equation, *[A(shape, layout="transposed" if len(shape) > 1 else "strided" if shape else "contiguous") for shape in shapes])
for dtype in NUMBERS:
    sample("einsum", "ij,jk->ik", A((2, 3), dtype), A((3, 2), dtype))
    sample("einsum", "ij,ij->ij", A((2, 3), dtype), A((2, 3), dtype))
for dtype in DTYPES:
    sample("einsum", "ij->i", A((2, 3), dtype))
    sample("einsum", "i,j->ij", A((2,), dtype), A((3,), dtype))
    sample("einsum", "ii->i", A((3, 3), dtype))
sample("einsum", "i,i->i", A((3,)), A((3,), "int64"))
sample("einsum", "ij,jk->ik", [A((2, 3)), A((3, 2))])
sample("einsum", "ij,jk->ik", (A((2, 3)), A((3, 2))))
sample("einsum", A((2, 3)), [0, 1], A((3, 2)), [1, 2], [0, 2])
sample("einsum", A((2, 3)), [0, 1], A((3, 2)), [1, 2])
sample("einsum", A((2, 3)), [26, 1], A((3, 2)), [1, 0])
sample("einsum", A((2, 3)), [0, ...], [...])
sample("einsum", A((3, 3)), [51, 51])
sample("einsum", A((2, 3)), [1, 0], A((2,)), [1], [0])
sample("einsum", A((2, 3)), (0, 1), ())
sample("einsum", "ij,jk->ik", A((2, 3), special=True), A((3, 2)))
sample("einsum", "i,j->ij", A((5,), special=True), A((3,)))
for wrong in (
    ("ij,jk->il", A((2, 3)), A((3, 2))), ("ij,jk->ii", A((2, 3)), A((3, 2))), ("ij,jk->ik", A((2, 3)), A((2, 2))), ("ij", A((2,))),
    ("ij,jk", A((2, 3))), ("ij", A((2, 3)), A((2, 3))), ("i.j", A((2, 3))), ("i-j", A((2, 3))), ("ij->i->j", A((2, 3))), ("ii", A((2, 3))),
    ("ii", A((1, 3))), ("i1", A((2, 3))), ("......", A((2, 3))), ("ijk...", A((2, 3))), ("ij,jk", A((2, 3)), A((3, 2), "float64")), ("ij->k", A((2, 3))),
    ("ij,jk->ik",), (A((2, 3)), [0, 52]), (A((2, 3)), [0, -1]), (A((2, 3)), [0, "a"]), (A((2, 3)), 3), ("i,i", A((3,), "bool"), A((3,), "bool")),
    ("...i,...i", A((2, 3)), A((3, 3))), ("ij", 3), (), ("ij,jk->ik", A((2, 3)), 1),
):  # fmt: skip
    error("einsum", *wrong)

for dtype in NUMBERS:
    sample("tensordot", A((2, 3), dtype), A((3, 2), dtype), 1)
for a, b, dims in (((2, 3), (2, 3), 2), ((2,), (3,), 0), ((2, 3, 2), (3, 2, 2), 2), ((2, 3), (2, 3), ([0], [0])), ((2, 3), (3, 2), ([0, 1], [1, 0])),
                   ((2, 3, 4), (4, 2), ([-1], [0])), ((2, 3), (3,), ([1], [0])), ((2, 1), (3, 2), 1), ((), (), 0), ((2, 0), (0, 3), 1), ((2, 3), (2, 3), ((), ()))):  # fmt: skip
    sample("tensordot", A(a, "float64"), A(b, "float64"), dims)
    sample("tensordot", A(a), A(b), dims=dims)
sample("tensordot", A((2, 3), layout="transposed"), A((3, 2), layout="strided"), 1)
sample("tensordot", A((2, 3)), A((2, 3)), V([[0], [0]], "int64"), capture=False)
for a, b, dims in (((2, 3), (2, 3), 1), ((2, 3), (3, 2), 3), ((2, 3), (3, 2), -1), ((2, 3), (3, 2), ([0, 0], [1, 0])), ((2, 3), (3, 2), ([0], [0, 1])),
                   ((2, 3), (3, 2), ([2], [0])), ((2, 3), (3, 2), (0, 1))):  # fmt: skip
    error("tensordot", A(a), A(b), dims)
error("tensordot", A((2, 3)), A((3, 2), "float64"), 1)
for name in ("outer", "ger"):
    for dtype in DTYPES:
        sample(name, A((2,), dtype), A((3,), dtype))
    for first, second in (("float32", "int64"), ("int8", "uint8"), ("float16", "float64"), ("bool", "int32")):
        sample(name, A((3,), first), A((2,), second))
    for a, b in (((0,), (2,)), ((2,), (0,)), ((1,), (1,)), ((4,), (2,))):
        sample(name, A(a, "float64"), A(b, "float64", layout="strided"))
        sample(name, input=A(a), vec2=A(b))
    sample(name, A((5,), special=True), A((2,)), grad=False)
    sample(name, A((3,), "float64", "expanded"), A((2,), "float64"))
    sample(name, A((2,), "float64", "strided"), A((4,), "float64", "expanded"))
    sample(name, A((3,), "float64"), A((2,), "float64"), sets=False)
    for a, b in (((), (2,)), ((2,), ()), ((2, 2), (2,)), ((2,), (1, 2)), ((1, 1), (1, 1))):
        error(name, A(a), A(b))
for name in ("dot", "vdot"):
    for dtype in NUMBERS:
        sample(name, A((5,), dtype), A((5,), dtype))
        sample(name, A((2,), dtype), A((2,), dtype))
    for length in (0, 1, 3, 8):
        sample(name, A((length,), "float64"), A((length,), "float64", layout="strided"))
    sample(name, A((5,), special=True), A((5,)))
    for a, b in (((3,), (2,)), ((3, 3), (3, 3)), ((), ()), ((3,), (3, 1)), ((1,), (3,))):
        error(name, A(a), A(b))
    error(name, A((3,)), A((3,), "float64"))
    error(name, A((3,), "bool"), A((3,), "bool"))
for dtype in NUMBERS:
    sample("inner", A((3,), dtype), A((3,), dtype))
    sample("mv", A((2, 3), dtype), A((3,), dtype))
for a, b in (((2, 3), (3,)), ((2, 3), (4, 3)), ((2, 2, 3), (3,)), ((), (2, 3)), ((2,), ()), ((), ()), ((0,), (0,)), ((2, 0), (0,)), ((1, 3), (2, 1, 3))):
    sample("inner", A(a, "float64"), A(b, "float64"))
    sample("inner", input=A(a), other=A(b))
sample("inner", A((), "int64"), A((2,)))
for layout in ("transposed", "strided", "expanded"):
    sample("inner", A((2, 3), layout=layout), A((4, 3), layout=layout))
    sample("inner", A((2, 3), "float64", layout), A((3,), "float64"))
sample("inner", A((2, 3), special=True), A((3,)), grad=False)
for a, b in (((3,), (2,)), ((2, 3), (3, 2)), ((2,), (2, 3)), ((1,), (3,)), ((2, 2), (2, 1))):
    error("inner", A(a), A(b))
error("inner", A((3,)), A((3,), "int64"))
for shape in ((0, 3), (3, 0), (1, 1), (4, 2), (2, 5)):
    for layout in ("contiguous", "transposed"):
        sample("mv", A(shape, "float64", layout=layout), A((shape[1],), "float64"))
        sample("mv", A(shape, layout=layout), vec=A((shape[1],)))
for a, b in (((2, 3), (2,)), ((3,), (3,)), ((2, 3), (3, 1)), ((2, 2, 3), (3,)), ((2, 3), ())):
    error("mv", A(a), A(b))
error("mv", A((2, 3)), A((3,), "float64"))

ADDED = {"addmm": ((2, 4), (2, 3), (3, 4)), "addmv": ((2,), (2, 3), (3,)), "addr": ((2, 3), (2,), (3,)), "baddbmm": ((2, 2, 2), (2, 2, 3), (2, 3, 2)), "addbmm": ((2, 2), (3, 2, 2), (3, 2, 2))}
for name, (x, a, b) in ADDED.items():
    for dtype in NUMBERS:
        sample(name, A(x, dtype), A(a, dtype), A(b, dtype), tol=256)
        sample(name, A(x, dtype), A(a, dtype), A(b, dtype), beta=2, alpha=3, tol=256)
    for dtype in ("float32", "float64"):
        sample(name, A(x, dtype), A(a, dtype), A(b, dtype), beta=0.5, alpha=-1.5)
        sample(name, A(x, dtype, special=True), A(a, dtype), A(b, dtype), beta=0, grad=False)
        sample(name, A(x[-1:], dtype), A(a, dtype), A(b, dtype), alpha=2.0, forms=False)
        sample(name, A(x, dtype, layout="transposed" if len(x) > 1 else "strided"), A(a, dtype, layout="strided"), A(b, dtype, layout="strided"), beta=2)
    sample(name, A((), "float64"), A(a, "float64"), A(b, "float64"), forms=False)
    sample(name, A(x, "int64"), A(a, "int64"), A(b, "int64"), beta=0, alpha=2)
    wrong = (*x[:-1], x[-1] + 1)
    error(name, A(wrong), A(a), A(b))
    error(name, A(x), A((*a[:-1], a[-1] + 1)), A(b))
    error(name, A((2, *x)), A(a), A(b))
    error(name, A(x), A((1, *a)), A(b))
    error(name, A(x), A(a), A(b), beta="a")
    error(name, A(x), A(a), 3)
    if name != "addr":
        error(name, A(x), A(a), A(b, "float64"))
        error(name, A(x, "float64"), A(a), A(b))
        error(name, A(x, "bool"), A(a, "bool"), A(b, "bool"))
    else:
        error(name, A(x, "int64"), A(a, "int64"), A(b, "int64"), alpha=0.5)

for dtype in NUMBERS:
    sample("kron", A((2, 2), dtype), A((1, 3), dtype))
for a, b in (((2,), (3,)), ((), (2, 2)), ((2, 1), (2,)), ((2, 1, 2), (1, 2)), ((0,), (2,)), ((2, 2), (0, 1)), ((), ())):
    sample("kron", A(a, "float64"), A(b, "float64"))
    sample("kron", A(a), A(b, "int64"))
for wrong in (1, "a", None, 2.5, [1]):
    error("kron", A((2, 2)), wrong)
for dtype in FLOATING:
    sample("chain_matmul", A((2, 3), dtype), A((3, 2), dtype))
    sample("chain_matmul", A((2, 3), dtype), A((3, 2), dtype), A((2, 4), dtype), tol=512)
for shapes in (((2, 3),), ((2, 3), (3, 1), (1, 2)), ((1, 4), (4, 1), (1, 3), (3, 2)), ((0, 2), (2, 3)), ((3, 1), (1, 1), (1, 3)), ((2, 2), (2, 2), (2, 2), (2, 2))):
    sample("chain_matmul", *[A(shape, "float64") for shape in shapes])
    sample("chain_matmul", *[A(shape) for shape in shapes])
for shapes in ((), ((2,), (2, 2)), ((2, 3), (2, 3)), ((2, 2, 2), (2, 2)), ((2, 2), (2,))):
    error("chain_matmul", *[A(shape) for shape in shapes])
BILINEAR = "nn.functional.bilinear"
for dtype in FLOATING:
    sample(BILINEAR, A((2, 3), dtype), A((2, 2), dtype), A((4, 3, 2), dtype), tol=256)
    sample(BILINEAR, A((2, 3), dtype), A((2, 2), dtype), A((4, 3, 2), dtype), A((4,), dtype), tol=256)
for lead in ((), (1,), (2, 2), (0,), (3,), (1, 2)):
    sample(BILINEAR, A((*lead, 2), "float64"), A((*lead, 1), "float64"), A((2, 2, 1), "float64"))
    sample(BILINEAR, A((*lead, 3)), A((*lead, 2)), A((2, 3, 2)), bias=A((2,)))
for x1, x2, weight in (((2, 3), (2, 3), (4, 3, 2)), ((2, 3), (3, 2), (4, 3, 2)), ((2, 3), (2, 2), (3, 2)), ((2, 2), (2, 2), (4, 3, 2)), ((3,), (2, 2), (4, 3, 2))):
    error(BILINEAR, A(x1), A(x2), A(weight))

# ---- distances; where PyTorch has no kernel for the dtype, luge's values are compared with itself

NO_HALF = "PyTorch 2.15 has no cdist and pdist of half types on the CPU"
for p in (0, 0.5, 1, 1.5, 2, 3, float("inf")):
    smooth = p not in (0, 0.5, 1, float("inf"))
    sample("cdist", A((3, 2), "float64"), A((4, 2), "float64"), p, check=smooth)
    sample("cdist", A((2, 3, 2)), A((1, 2, 2)), p=p, check=smooth)
    # Of equal largest differences each gets a share of the gradient; in PyTorch each gets all of it.
    if p != float("inf"):
        sample("cdist", V([[1.0, 2.0], [3.0, 4.0]]), V([[1.0, 2.0], [0.0, 4.0]]), p)
    sample("pdist", A((4, 2), "float64"), p, check=smooth)
    sample("pdist", A((3, 3)), p=p, check=smooth)
    sample("pdist", V([[1.0, 2.0], [1.0, 2.0], [3.0, 1.0]]), p)
    sample("dist", A((2, 3), "float64"), A((2, 3), "float64"), p, check=smooth)
    sample("dist", A((2, 3)), A((3,)), p=p, check=smooth)
for mode in ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"):
    sample("cdist", A((3, 2), "float64"), A((2, 2), "float64"), compute_mode=mode)
sample("cdist", A((3, 0)), A((4, 0)), grad=False)  # PyTorch 2.15 crashes in gradients of distances without elements
sample("cdist", A((0, 2)), A((4, 2)), grad=False)
sample("cdist", A((26, 2), "float64"), A((1, 2), "float64"))
sample("cdist", A((3, 4), "float64", layout="transposed"), A((2, 4), "float64", layout="strided"), 2)
for dtype in ("float16", "bfloat16"):
    sample("cdist", A((2, 2), dtype), A((2, 2), dtype), differs=NO_HALF)
    sample("pdist", A((3, 2), dtype), differs=NO_HALF)
for a, b, p in (((2, 2), (2, 3), 2), ((2,), (2, 2), 2), ((2, 2), (2,), 2), ((2, 2), (2, 2), -1), ((3, 2, 2), (2, 2, 2), 2)):
    error("cdist", A(a), A(b), p)
error("cdist", A((2, 2)), A((2, 2), "float64"))
error("cdist", A((2, 2), "int64"), A((2, 2), "int64"))
error("cdist", A((2, 2)), A((2, 2)), compute_mode="x")
for shape in ((1, 3), (0, 3), (2, 0), (5, 1), (2, 2)):
    sample("pdist", A(shape), grad=shape == (2, 2))
    sample("nn.functional.pdist", A(shape, "float64"), grad=shape == (2, 2))
for wrong, p in ((A((3,)), 2), (A((2, 2, 2)), 2), (A((2, 2), "int64"), 2), (A((2, 2)), -1), (A(()), 2)):
    error("pdist", wrong, p)
for p in (-1, -2, float("-inf")):
    sample("dist", A((2, 3), "float64"), A((2, 3), "float64"), p, check=False)
for dtype in FLOATING:
    sample("dist", A((3,), dtype), A((3,), dtype))
sample("dist", A((2, 2)), A((2, 2), "int64"))
sample("dist", A(()), A(()))
sample("dist", A((0,)), A((0,)))
for a, b in ((A((2,)), A((3,))), (A((2,), "int64"), A((2,), "int64")), (A((2, 3)), A((2, 2))), (A((2,)), "a"), (A((2,), "bool"), A((2,), "int8"))):
    error("dist", a, b)
