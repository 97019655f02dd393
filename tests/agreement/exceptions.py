"""Names of luge that are PyTorch's and have no samples, or fewer than the rest, and why."""

#: No operations on tensors' values, or without values that could be compared: the file that tests them.
ELSEWHERE = {
    "tests/python/test_system.py": "get_num_threads set_num_threads is_grad_enabled",
}

#: Fewer than MIN_SAMPLES samples or MIN_ERRORS errors, because nothing more can be said.
FEWER = {}

#: Without samples until somebody writes them: these were there before the suite. No name may be added.
NOT_YET = """
    Tensor.T Tensor.abs Tensor.abs_ Tensor.add Tensor.add_ Tensor.all Tensor.amax Tensor.amin Tensor.any Tensor.argmax
    Tensor.argmin Tensor.argsort Tensor.atan Tensor.atan_ Tensor.backward Tensor.bfloat16 Tensor.bitwise_and
    Tensor.bitwise_and_ Tensor.bitwise_not Tensor.bitwise_or Tensor.bitwise_or_ Tensor.bitwise_xor Tensor.bitwise_xor_
    Tensor.bmm Tensor.bool Tensor.byte Tensor.char Tensor.clamp Tensor.clamp_ Tensor.clone Tensor.contiguous
    Tensor.copy_ Tensor.cos Tensor.cos_ Tensor.cpu Tensor.cuda Tensor.data_ptr Tensor.detach Tensor.device
    Tensor.digamma Tensor.digamma_ Tensor.dim Tensor.div Tensor.div_ Tensor.double Tensor.dtype Tensor.element_size
    Tensor.eq Tensor.equal Tensor.erf Tensor.erf_ Tensor.exp Tensor.exp_ Tensor.expand Tensor.expand_as Tensor.expm1
    Tensor.expm1_ Tensor.fill_ Tensor.flatten Tensor.float Tensor.floor Tensor.floor_ Tensor.gather Tensor.ge
    Tensor.grad Tensor.gt Tensor.half Tensor.hardshrink Tensor.index_copy Tensor.index_select Tensor.int
    Tensor.is_contiguous Tensor.is_cuda Tensor.is_floating_point Tensor.is_leaf Tensor.isfinite Tensor.isnan Tensor.item
    Tensor.itemsize Tensor.le Tensor.lerp Tensor.lerp_ Tensor.lgamma Tensor.lgamma_ Tensor.log Tensor.log1p
    Tensor.log1p_ Tensor.log_ Tensor.log_softmax Tensor.logical_and Tensor.logical_not Tensor.logical_or
    Tensor.logical_xor Tensor.logsumexp Tensor.long Tensor.lt Tensor.mT Tensor.matmul Tensor.max Tensor.maximum
    Tensor.mean Tensor.min Tensor.minimum Tensor.mm Tensor.mul Tensor.mul_ Tensor.nansum Tensor.narrow Tensor.nbytes
    Tensor.ndim Tensor.ne Tensor.neg Tensor.neg_ Tensor.nelement Tensor.numel Tensor.numpy Tensor.permute Tensor.pow
    Tensor.pow_ Tensor.prod Tensor.relu Tensor.relu_ Tensor.requires_grad Tensor.requires_grad_ Tensor.reshape
    Tensor.rsqrt Tensor.rsqrt_ Tensor.select Tensor.shape Tensor.short Tensor.sigmoid Tensor.sigmoid_ Tensor.sign
    Tensor.sign_ Tensor.sin Tensor.sin_ Tensor.size Tensor.softmax Tensor.sort Tensor.sqrt Tensor.sqrt_ Tensor.square
    Tensor.square_ Tensor.squeeze Tensor.std Tensor.storage_offset Tensor.stride Tensor.sub Tensor.sub_ Tensor.sum
    Tensor.t Tensor.tanh Tensor.tanh_ Tensor.to Tensor.tolist Tensor.topk Tensor.transpose Tensor.type_as
    Tensor.unsqueeze Tensor.var Tensor.view Tensor.where Tensor.zero_ abs add all amax amin any arange argmax argmin
    argsort as_tensor atan bitwise_and bitwise_not bitwise_or bitwise_xor bmm cat clamp concat cos digamma div empty
    empty_like eq erf exp expm1 eye floor from_dlpack from_numpy full full_like gather ge get_float32_matmul_precision
    gt hardshrink index_copy index_select isfinite isnan le lerp lgamma linspace load log log1p log_softmax logical_and
    logical_not logical_or logical_xor logsumexp lt manual_seed matmul max maximum mean min minimum mm mul nansum ne neg
    nn.functional.cross_entropy nn.functional.embedding nn.functional.gelu nn.functional.hardshrink
    nn.functional.leaky_relu nn.functional.linear nn.functional.log_softmax nn.functional.mse_loss nn.functional.relu
    nn.functional.sigmoid nn.functional.silu nn.functional.softmax nn.functional.softplus nn.functional.tanh ones
    ones_like pow prod rand rand_like randint randn randn_like randperm relu rsqrt save set_float32_matmul_precision
    sigmoid sign sin softmax sort sqrt square stack std sub sum tanh tensor topk var where zeros zeros_like
"""
