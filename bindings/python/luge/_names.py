"""Names that PyTorch has and luge has not, and the AttributeErrors that say so.

tests/python/test_names.py checks that luge has none of them, and that docs/python.md lists the same ones.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

#: By PyTorch's namespaces that have them: names that nothing here stands for.
_MISSING = {
    "torch torch.Tensor": "angle as_strided conj conj_physical imag isreal istft real renorm stft",
    "torch": """
        BoolStorage ByteTensor CharTensor FloatStorage HalfTensor LongStorage ShortTensor Stream accelerator ao
        are_deterministic_algorithms_enabled backends bartlett_window binomial blackman_window cdouble cfloat channels_last
        channels_last_3d complex complex128 complex32 complex64 constant_pad_nd contiguous_format cpu ctc_loss default_generator
        distributed distributions embedding_bag empty_strided export fft float8_e4m3fn float8_e5m2 frombuffer futures fx
        get_default_device get_default_dtype get_num_interop_threads get_rng_state gradient hamming_window hann_window
        histogramdd hub initial_seed is_inference_mode_enabled is_signed jit kaiser_window layout library masked memory_format
        mps multiprocessing nested onnx overrides poisson polar preserve_format profiler qint8 quantization quantize_per_tensor
        quint8 random seed serialization set_default_device set_default_dtype set_default_tensor_type set_flush_denormal
        set_num_interop_threads set_printoptions set_rng_state signal sparse sparse_coo_tensor sparse_csr_tensor strided testing
        torch_version typename uint16 uint32 uint64 unravel_index use_deterministic_algorithms version view_as_complex
        view_as_real vmap xpu""",
    "torch.Tensor": """
        apply_ as_strided_ cdouble cfloat indices is_pinned is_quantized is_shared is_sparse layout map_ pin_memory renorm_
        resize_ share_memory_ storage to_dense to_sparse untyped_storage values""",
    "torch.nn": "Buffer CTCLoss DataParallel SyncBatchNorm UninitializedParameter parallel",
    "torch.nn.functional": "ctc_loss",
    "torch.nn.utils": """
        parametrizations parametrize prune remove_spectral_norm remove_weight_norm spectral_norm stateless weight_norm""",
    "torch.optim": "Adafactor SparseAdam",
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
    "torch": """
        BoolTensor: luge.tensor(data, dtype=luge.bool)
        DoubleTensor: luge.tensor(data, dtype=luge.float64)
        FloatTensor: luge.tensor(data, dtype=luge.float32)
        IntTensor: luge.tensor(data, dtype=luge.int32)
        LongTensor: luge.tensor(data, dtype=luge.int64)
        asarray: luge.as_tensor
        compile: luge.capture
        get_device: x.device.index
        scalar_tensor: luge.tensor""",
    "torch.Tensor": """
        detach_: x = x.detach()
        squeeze_: x = x.squeeze()
        t_ transpose_: x = x.transpose(dim0, dim1)
        type: x.to(dtype)
        unsqueeze_: x = x.unsqueeze(dim)""",
    "torch.nn.utils": "clip_grad_norm: luge.nn.utils.clip_grad_norm_",
    "torch.autograd": "Variable: luge.Tensor",
    "torch.cuda": """
        CUDAGraph graph make_graphed_callables: luge.capture
        OutOfMemoryError: luge.OutOfMemoryError
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
