"""Names that PyTorch has and luge has not, and the AttributeErrors that say so.

tests/python/test_names.py checks that luge has none of them, and that docs/python.md lists the same ones.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

#: By PyTorch's namespaces that have them: names that nothing here stands for.
_MISSING = {
    "torch torch.Tensor": """
        acos acosh addbmm addr angle argwhere as_strided asin asinh atan2 atanh bincount bitwise_left_shift bitwise_right_shift
        ceil cholesky cholesky_inverse cholesky_solve conj conj_physical copysign corrcoef cosh cov cross cummax cummin cumprod
        cumsum deg2rad det diag diag_embed diagflat diagonal diagonal_scatter diff dsplit erfc erfinv fix flip fliplr flipud
        float_power floor_divide fmax fmin fmod frac frexp gcd heaviside histc histogram hsplit i0 imag index_add index_reduce
        inner inverse is_complex is_signed isneginf isposinf isreal istft kron kthvalue lcm ldexp logcumsumexp logdet logit lu
        masked_scatter matrix_exp matrix_power median mode msort multinomial mvlgamma nan_to_num nanmean nanmedian nanquantile
        nextafter nonzero pinverse polygamma prelu put qr quantile rad2deg real remainder renorm repeat_interleave roll rot90
        round scatter scatter_add scatter_reduce select_scatter signbit sinc sinh slice_scatter slogdet stft svd take_along_dim
        tile trace tril triu trunc unique unique_consecutive vsplit xlogy""",
    "torch": """
        BoolStorage ByteTensor CharTensor FloatStorage HalfTensor LongStorage ShortTensor Stream accelerator adaptive_avg_pool1d
        alpha_dropout amp ao are_deterministic_algorithms_enabled atleast_1d atleast_2d atleast_3d autocast avg_pool1d backends
        bartlett_window batch_norm bilinear binomial blackman_window block_diag broadcast_shapes broadcast_tensors bucketize
        cartesian_prod cdist cdouble cfloat channel_shuffle channels_last channels_last_3d combinations complex complex128
        complex32 complex64 constant_pad_nd contiguous_format conv1d conv2d conv3d conv_transpose1d conv_transpose2d
        conv_transpose3d cosine_embedding_loss cosine_similarity cpu ctc_loss cumulative_trapezoid default_generator distributed
        distributions dropout einsum embedding_bag empty_strided export fft finfo float8_e4m3fn float8_e5m2 frombuffer futures
        fx get_default_device get_default_dtype get_num_interop_threads get_rng_state gradient group_norm gru hamming_window
        hann_window hinge_embedding_loss histogramdd hub iinfo initial_seed instance_norm is_autocast_enabled
        is_inference_mode_enabled isin jit kaiser_window kl_div layer_norm layout library linalg logspace lstm
        margin_ranking_loss masked max_pool1d max_pool2d max_pool3d memory_format meshgrid mps multiprocessing nested onnx
        overrides pairwise_distance pixel_shuffle pixel_unshuffle poisson poisson_nll_loss polar preserve_format profiler
        promote_types qint8 quantization quantize_per_tensor quint8 random result_type rnn_relu rnn_tanh searchsorted seed selu
        serialization set_default_device set_default_dtype set_default_tensor_type set_flush_denormal set_num_interop_threads
        set_printoptions set_rng_state signal sparse sparse_coo_tensor sparse_csr_tensor special strided tensordot testing
        threshold torch_version trapezoid trapz tril_indices triplet_margin_loss triu_indices typename uint16 uint32 uint64
        unravel_index use_deterministic_algorithms vander version view_as_complex view_as_real vmap xpu""",
    "torch.Tensor": """
        acos_ acosh_ addbmm_ addr_ apply_ as_strided_ asin_ asinh_ atan2_ atanh_ bernoulli_ cauchy_ cdouble ceil_ cfloat
        copysign_ cosh_ cumprod_ cumsum_ deg2rad_ eq_ erfc_ erfinv_ exponential_ fill_diagonal_ fix_ float_power_ floor_divide_
        fmod_ frac_ ge_ geometric_ grad_fn gt_ hypot_ index_add_ index_reduce_ indices is_pinned is_quantized is_shared
        is_sparse layout ldexp_ le_ log10_ log2_ log_normal_ logical_and_ logical_not_ logical_or_ logical_xor_ logit_ lt_ map_
        masked_scatter_ nan_to_num_ ne_ pin_memory rad2deg_ random_ register_hook register_post_accumulate_grad_hook remainder_
        renorm_ repeat resize_ retain_grad retains_grad round_ scatter_ scatter_add_ scatter_reduce_ share_memory_ sinc_ sinh_
        storage tan_ to_dense to_sparse tril_ triu_ trunc_ unfold untyped_storage values xlogy_""",
    "torch.nn": """
        AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveLogSoftmaxWithLoss AdaptiveMaxPool1d AdaptiveMaxPool2d
        AdaptiveMaxPool3d AlphaDropout AvgPool1d AvgPool2d AvgPool3d BCELoss BatchNorm1d BatchNorm2d BatchNorm3d Bilinear Buffer
        CELU CTCLoss ChannelShuffle CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d Conv1d
        Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d CosineEmbeddingLoss CosineSimilarity DataParallel Dropout
        Dropout1d Dropout2d Dropout3d ELU EmbeddingBag FeatureAlphaDropout Fold FractionalMaxPool2d FractionalMaxPool3d GLU GRU
        GRUCell GaussianNLLLoss GroupNorm Hardsigmoid Hardswish HingeEmbeddingLoss HuberLoss InstanceNorm1d InstanceNorm2d
        InstanceNorm3d KLDivLoss LPPool1d LPPool2d LPPool3d LSTM LSTMCell LayerNorm LazyBatchNorm1d LazyBatchNorm2d
        LazyBatchNorm3d LazyConv1d LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d
        LazyInstanceNorm1d LazyInstanceNorm2d LazyInstanceNorm3d LazyLinear LocalResponseNorm MarginRankingLoss MaxPool1d
        MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d Mish MultiLabelMarginLoss MultiLabelSoftMarginLoss
        MultiMarginLoss MultiheadAttention PReLU PairwiseDistance PixelShuffle PixelUnshuffle PoissonNLLLoss RMSNorm RNN RNNCell
        RReLU ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d SELU
        SmoothL1Loss SoftMarginLoss Softmax2d Softmin Softshrink Softsign SyncBatchNorm Tanhshrink Threshold Transformer
        TransformerDecoder TransformerDecoderLayer TransformerEncoder TransformerEncoderLayer TripletMarginLoss
        TripletMarginWithDistanceLoss Unflatten Unfold UninitializedParameter Upsample UpsamplingBilinear2d UpsamplingNearest2d
        ZeroPad1d ZeroPad2d ZeroPad3d attention parallel""",
    "torch.nn.functional": """
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
        affine_grid alpha_dropout avg_pool1d avg_pool2d avg_pool3d batch_norm bilinear binary_cross_entropy celu channel_shuffle
        conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d cosine_embedding_loss cosine_similarity ctc_loss
        dropout dropout1d dropout2d dropout3d elu embedding_bag feature_alpha_dropout fold fractional_max_pool2d
        fractional_max_pool3d gaussian_nll_loss glu grid_sample group_norm gumbel_softmax hardsigmoid hardswish
        hinge_embedding_loss huber_loss instance_norm interpolate kl_div layer_norm local_response_norm lp_pool1d lp_pool2d
        lp_pool3d margin_ranking_loss max_pool1d max_pool2d max_pool3d max_unpool1d max_unpool2d max_unpool3d multi_margin_loss
        multilabel_margin_loss multilabel_soft_margin_loss pad pairwise_distance pdist pixel_shuffle pixel_unshuffle
        poisson_nll_loss prelu rms_norm rrelu scaled_dot_product_attention selu smooth_l1_loss soft_margin_loss softshrink
        threshold triplet_margin_loss triplet_margin_with_distance_loss unfold upsample""",
    "torch.nn.init": "calculate_gain dirac_ eye_ orthogonal_ sparse_ trunc_normal_",
    "torch.nn.utils": """
        clip_grad_value_ clip_grads_with_norm_ fuse_conv_bn_eval get_total_norm parameters_to_vector parametrizations
        parametrize prune remove_spectral_norm remove_weight_norm rnn skip_init spectral_norm stateless vector_to_parameters
        weight_norm""",
    "torch.optim": "ASGD Adadelta Adafactor Adamax LBFGS Muon NAdam RAdam Rprop SparseAdam swa_utils",
    "torch.optim.lr_scheduler": "CosineAnnealingWarmRestarts CyclicLR OneCycleLR PolynomialLR",
    "torch.utils.data": "DistributedSampler",
    "torch.func": """
        debug_unwrap functional_call functionalize linearize replace_all_batch_norm_modules_ stack_module_state vmap""",
    "torch.autograd": "detect_anomaly forward_ad functional graph profiler set_detect_anomaly",
    "torch.cuda": """
        Event ExternalStream Stream amp can_device_access_peer comm current_device current_stream default_stream get_arch_list
        get_device_capability get_device_properties get_rng_state get_rng_state_all graphs init ipc_collect is_bf16_supported
        is_initialized max_memory_reserved mem_get_info memory_snapshot memory_summary nccl nvtx seed seed_all set_device
        set_rng_state set_rng_state_all set_stream stream temperature utilization""",
}

#: The same of names that something here stands for: each line says which, and what to write.
_INSTEAD = {
    "torch torch.Tensor": """
        absolute: luge.abs
        addcdiv: x + value * a / b
        addcmul: x + value * a * b
        addmm addmv baddbmm: x + a @ b
        adjoint: x.mT
        allclose: ((x - y).abs() <= tolerance).all()
        aminmax: luge.amin(x), luge.amax(x)
        bernoulli: (luge.rand_like(x) < x).to(x.dtype)
        broadcast_to: x.expand
        chunk split split_with_sizes tensor_split: x.narrow
        clamp_max clamp_min clip: luge.clamp
        count_nonzero: (x != 0).sum()
        dist: (x - y).square().sum().sqrt()
        divide true_divide: luge.div
        dot mv vdot: x @ y
        exp2: 2**x
        ger outer: x[:, None] * y
        get_device: x.device.index
        greater: luge.gt
        greater_equal: luge.ge
        hypot: (x * x + y * y).sqrt()
        index_fill index_put: x = x.clone(); x[index] = value
        is_nonzero: bool(x)
        isclose: (x - y).abs() <= tolerance
        isinf: x.abs() == math.inf
        less: luge.lt
        less_equal: luge.le
        log10: luge.log(x) / math.log(10)
        log2: luge.log(x) / math.log(2)
        logaddexp: luge.logsumexp(luge.stack([x, y]), 0)
        masked_fill: luge.where(mask, value, x)
        masked_select: x[mask]
        moveaxis movedim: x.permute
        multiply: luge.mul
        negative: luge.neg
        norm: x.square().sum().sqrt()
        not_equal: luge.ne
        positive: +x
        ravel: x.flatten()
        reciprocal: 1 / x
        sgn: luge.sign
        subtract: luge.sub
        swapaxes swapdims: x.transpose
        take: x.flatten()[index]
        tan: luge.sin(x) / luge.cos(x)
        unbind: list(x)
        unflatten: x.reshape""",
    "torch": """
        BoolTensor: luge.tensor(data, dtype=luge.bool)
        DoubleTensor: luge.tensor(data, dtype=luge.float64)
        FloatTensor: luge.tensor(data, dtype=luge.float32)
        IntTensor: luge.tensor(data, dtype=luge.int32)
        LongTensor: luge.tensor(data, dtype=luge.int64)
        Size: tuple
        asarray: luge.as_tensor
        binary_cross_entropy_with_logits: (luge.softplus(x) - x * target).mean()
        clone: x.clone()
        column_stack dstack vstack: luge.cat or luge.stack
        compile: luge.capture
        concatenate hstack: luge.cat
        detach: x.detach()
        e: math.e
        embedding: luge.nn.functional.embedding
        equal: x.equal
        fill: luge.full_like
        flatten: x.flatten
        inf: math.inf
        inference_mode: luge.no_grad
        is_floating_point: x.is_floating_point()
        is_tensor: isinstance(x, luge.Tensor)
        nan: math.nan
        narrow: x.narrow
        normal: mean + std * luge.randn(size)
        numel: x.numel()
        permute: x.permute
        pi: math.pi
        randint_like: luge.randint(low, high, x.shape)
        reshape: x.reshape
        rsub: y - x
        scalar_tensor: luge.tensor
        select: x.select
        squeeze: x.squeeze
        std_mean: luge.std(x), luge.mean(x)
        t: x.t()
        transpose: x.transpose
        unsqueeze: x.unsqueeze
        var_mean: luge.var(x), luge.mean(x)""",
    "torch.Tensor": """
        H mH: x.mT
        absolute_: x.abs_()
        addcdiv_: x += value * a / b
        addcmul_: x += value * a * b
        addmm_ addmv_ baddbmm_: x += a @ b
        clamp_max_ clamp_min_ clip_: x.clamp_
        data: x.detach()
        detach_: x = x.detach()
        divide_ true_divide_: x.div_
        exp2_: x.copy_(2**x)
        index_copy_ index_fill_ index_put_: x[index] = value
        is_cpu: not x.is_cuda
        masked_fill_: x[mask] = value
        multiply_: x.mul_
        ndimension: x.dim()
        negative_: x.neg_()
        new_empty: luge.empty(size, dtype=x.dtype, device=x.device)
        new_full: luge.full(size, value, dtype=x.dtype, device=x.device)
        new_ones: luge.ones(size, dtype=x.dtype, device=x.device)
        new_tensor: luge.tensor(data, dtype=x.dtype, device=x.device)
        new_zeros: luge.zeros(size, dtype=x.dtype, device=x.device)
        normal_: x.copy_(luge.randn_like(x))
        put_: x.view(-1)[index] = value
        reciprocal_: x.copy_(1 / x)
        reshape_as: x.reshape(y.shape)
        squeeze_: x = x.squeeze()
        subtract_: x.sub_
        t_ transpose_: x = x.transpose(dim0, dim1)
        type: x.to(dtype)
        uniform_: x.copy_(luge.rand_like(x))
        unsqueeze_: x = x.unsqueeze(dim)
        view_as: x.view(y.shape)""",
    "torch.nn": """
        BCEWithLogitsLoss: (luge.softplus(x) - x * target).mean()
        Hardtanh ReLU6: luge.clamp
        Identity: luge.nn.Sequential()
        L1Loss: (x - target).abs().mean()
        LogSigmoid: -luge.softplus(-x)
        NLLLoss: luge.nn.CrossEntropyLoss()(logits, target)
        init: luge.init""",
    "torch.nn.functional": """
        binary_cross_entropy_with_logits: (luge.softplus(x) - x * target).mean()
        hardtanh relu6: luge.clamp
        l1_loss: (x - target).abs().mean()
        logsigmoid: -luge.softplus(-x)
        mish: x * luge.tanh(luge.softplus(x))
        nll_loss: luge.nn.functional.cross_entropy(logits, target)
        normalize: x / x.square().sum(dim, keepdim=True).sqrt()
        one_hot: luge.eye(classes)[labels]
        relu_: x.relu_()
        softmin: luge.softmax(-x, dim)
        softsign: x / (1 + x.abs())
        tanhshrink: x - luge.tanh(x)""",
    "torch.nn.init": """
        constant_: luge.init.constant
        kaiming_normal_: luge.init.kaiming_normal
        kaiming_uniform_: luge.init.kaiming_uniform
        normal_: luge.init.normal
        ones_: luge.init.ones
        uniform_: luge.init.uniform
        xavier_normal_: luge.init.xavier_normal
        xavier_uniform_: luge.init.xavier_uniform
        zeros_: luge.init.zeros""",
    "torch.nn.utils": "clip_grad_norm: luge.nn.utils.clip_grad_norm_",
    "torch.optim.lr_scheduler": "LambdaLR MultiplicativeLR ReduceLROnPlateau: optimizer.set_lr",
    "torch.autograd": """
        Variable: luge.Tensor
        inference_mode: luge.no_grad""",
    "torch.cuda": """
        CUDAGraph graph make_graphed_callables: luge.capture
        OutOfMemoryError: luge.OutOfMemoryError
        manual_seed manual_seed_all: luge.manual_seed
        memory_stats: luge.memory_stats
        reset_max_memory_allocated: luge.cuda.reset_peak_memory_stats
        set_per_process_memory_fraction: luge.set_memory_limit""",
}


def tables() -> dict[str, dict[str, str]]:
    """For PyTorch's namespaces, several of them with a space between, the names that are not here and what to write instead;
    an empty string where there is nothing."""
    found = {area: dict.fromkeys(text.split(), "") for area, text in _MISSING.items()}
    for area, text in _INSTEAD.items():
        for line in text.strip().splitlines():
            names, instead = line.split(":", 1)
            found[area].update(dict.fromkeys(names.split(), instead.strip()))
    return found


def listed(namespace: str) -> dict[str, str]:
    """Those of one namespace of PyTorch, such as "torch.nn"."""
    return {name: instead for area, names in tables().items() if namespace in area.split() for name, instead in names.items()}


def _error(text: str, name: str, owner: Any = None) -> AttributeError:
    """Python suggests a similar name of the owner, if it is given. For a name of PyTorch that would be wrong: tanh for tan."""
    return AttributeError(text, name=name, obj=owner) if sys.version_info >= (3, 10) else AttributeError(text)


def _not_here(owner: str, pytorch: str, name: str, instead: str) -> AttributeError:
    known = f"{pytorch}.{name}"
    what = f"instead of {known} write {instead}" if instead else f"{known} is one of the names that are not here yet"
    return _error(f"{owner} has no '{name}': {what} (docs/python.md, \"Names\")", name)


def missing(module: str) -> Callable[[str], Any]:
    """The __getattr__ of a module of luge, which says what is known of a name that is not there."""
    pytorch = module.replace("luge", "torch", 1)

    def __getattr__(name: str) -> NoReturn:
        owner = sys.modules[module]
        text = f"module '{module}' has no attribute '{name}'"
        if name.startswith("_"):
            raise _error(text, name, owner)
        names = listed(pytorch)
        if name in names:
            raise _not_here(module, pytorch, name, names[name])
        import difflib

        public = getattr(owner, "__all__", None) or [key for key in vars(owner) if not key.startswith("_")]
        near = difflib.get_close_matches(name, public, n=1)
        if near:
            raise _error(f"{text}; did you mean '{near[0]}'?", name)
        raise _error(text, name, owner)

    return __getattr__


class Missing:
    """A name of PyTorch's tensors that luge's have not: to read it raises the AttributeError.

    A tensor has no __getattr__, which would slow down every call of a method.
    """

    __slots__ = ("_instead", "_name")

    def __init__(self, name: str, instead: str) -> None:
        self._name = name
        self._instead = instead

    def __get__(self, instance: object, owner: type[Any] | None = None) -> NoReturn:
        raise _not_here("luge.Tensor", "torch.Tensor", self._name, self._instead)


def refuse(kind: type[Any]) -> None:
    """Gives the class of tensors these names, and keeps them out of what dir() of a tensor lists."""
    absent = {name: instead for name, instead in listed("torch.Tensor").items() if not hasattr(kind, name)}
    for name, instead in absent.items():
        setattr(kind, name, Missing(name, instead))

    def __dir__(self: object) -> Iterable[str]:
        return [name for name in object.__dir__(self) if name not in absent or hasattr(self, name)]

    setattr(kind, "__dir__", __dir__)
