"""Names of PyTorch that training code often uses: operations, in the order of families."""

COMMON = """
    abs add addcdiv addcmul acos acosh asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_not bitwise_or
    bitwise_right_shift bitwise_xor ceil clamp clamp_max clamp_min clip copysign cos cosh digamma div eq erf erfc erfinv
    exp exp2 expm1 floor floor_divide fmax fmin fmod frac ge gt heaviside hypot isclose isfinite isinf isnan le lerp
    lgamma log log10 log1p log2 logaddexp logical_and logical_not logical_or logical_xor logit lt maximum minimum mul
    nan_to_num ne neg pow reciprocal remainder round rsqrt sigmoid sign signbit sin sinh sqrt square sub tan tanh trunc
    where xlogy allclose equal

    broadcast_tensors broadcast_to cat chunk concat diag diag_embed diagonal dstack flip hstack meshgrid movedim narrow
    permute ravel repeat_interleave reshape roll rot90 split squeeze stack swapaxes tensor_split tile transpose tril
    triu unbind unflatten unsqueeze vstack flatten Tensor.contiguous Tensor.clone Tensor.copy_ Tensor.detach
    Tensor.expand Tensor.expand_as Tensor.fill_ Tensor.item Tensor.masked_fill_ Tensor.new_full Tensor.new_ones
    Tensor.new_zeros Tensor.repeat Tensor.reshape_as Tensor.scatter_ Tensor.scatter_add_ Tensor.t Tensor.tolist
    Tensor.to Tensor.type_as Tensor.unfold Tensor.view Tensor.view_as Tensor.zero_

    gather index_add index_copy index_put index_select masked_fill masked_select nonzero scatter scatter_add
    scatter_reduce select take_along_dim nn.functional.one_hot nn.functional.embedding nn.functional.pad

    addmm addmv baddbmm bmm cdist cross dot einsum kron matmul mm mv nn.functional.linear outer tensordot trace

    all amax amin aminmax any argmax argmin count_nonzero logsumexp max mean median min nanmean nansum norm prod
    quantile std std_mean sum var var_mean cummax cummin cumprod cumsum diff logcumsumexp argsort bincount bucketize
    histc isin kthvalue searchsorted sort topk unique

    linalg.cholesky linalg.det linalg.eigh linalg.inv linalg.lstsq linalg.qr linalg.slogdet linalg.solve
    linalg.solve_triangular linalg.svd linalg.vector_norm

    nn.functional.cross_entropy nn.functional.gelu nn.functional.hardshrink nn.functional.leaky_relu
    nn.functional.log_softmax nn.functional.mse_loss nn.functional.relu nn.functional.silu nn.functional.softmax
    nn.functional.softplus

    arange as_tensor empty empty_like eye from_numpy full full_like linspace ones ones_like rand rand_like randint randn
    randn_like randperm tensor zeros zeros_like
""".split()
