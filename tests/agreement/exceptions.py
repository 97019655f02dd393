"""Names of luge that are PyTorch's and have no samples, or fewer than the rest, and why."""

#: No operations on tensors' values, or without values that could be compared: the file that tests them.
ELSEWHERE = {
    "tests/python/test_system.py": """
        get_num_threads set_num_threads is_grad_enabled get_float32_matmul_precision set_float32_matmul_precision Tensor.cuda
        Tensor.device""",
    "tests/python/test_creation.py": "empty empty_like rand rand_like randint randn randn_like randperm manual_seed",
    "tests/python/test_random.py": "bernoulli multinomial normal randint_like Tensor.bernoulli Tensor.bernoulli_ Tensor.multinomial "
    "Tensor.cauchy_ Tensor.exponential_ Tensor.geometric_ Tensor.log_normal_ Tensor.normal_ Tensor.random_ Tensor.uniform_",
    "tests/python/test_interchange.py": "from_numpy from_dlpack Tensor.numpy Tensor.data_ptr",
    "tests/python/test_autograd.py": "Tensor.backward",
    "tests/python/test_tensor_hooks.py": """
        Tensor.grad_fn Tensor.register_hook Tensor.register_post_accumulate_grad_hook Tensor.retain_grad Tensor.retains_grad""",
    "tests/python/test_amp.py": """
        is_autocast_enabled set_autocast_enabled get_autocast_dtype set_autocast_dtype is_autocast_cache_enabled
        set_autocast_cache_enabled autocast_increment_nesting autocast_decrement_nesting clear_autocast_cache""",
    "tests/python/test_members.py": "Tensor.data Tensor.get_device Tensor.is_cpu Tensor.is_same_size Tensor.ndimension",
    "tests/python/test_files.py": "save load",
    "tests/python/test_dropout.py": """
        dropout alpha_dropout feature_dropout feature_alpha_dropout dropout_ alpha_dropout_ feature_dropout_
        feature_alpha_dropout_ nn.functional.dropout nn.functional.dropout1d nn.functional.dropout2d nn.functional.dropout3d
        nn.functional.alpha_dropout nn.functional.feature_alpha_dropout""",
    "tests/python/test_layers.py": "nn.functional.gumbel_softmax",
}

#: Fewer than MIN_SAMPLES samples or MIN_ERRORS errors, because nothing more can be said.
FEWER = {}

#: Operations whose values are computed on the host whatever the device is.
HOST = set()

#: Operations none of whose samples means the same for a stack (sets.py), and why.
NO_SETS = {
    "makes a tensor of sizes": """
        zeros ones full eye arange linspace logspace tensor tril_indices triu_indices Tensor.new_zeros Tensor.new_ones
        Tensor.new_empty Tensor.new_full""",
    "says something of a whole tensor": """
        allclose equal Tensor.equal numel Tensor.numel Tensor.nelement Tensor.shape Tensor.size Tensor.ndim Tensor.dim Tensor.dtype
        Tensor.nbytes Tensor.itemsize Tensor.element_size Tensor.stride Tensor.storage_offset Tensor.is_contiguous
        Tensor.requires_grad Tensor.is_leaf Tensor.is_cuda Tensor.grad Tensor.is_floating_point Tensor.is_signed Tensor.tolist
        Tensor.item is_floating_point is_complex is_nonzero is_tensor promote_types can_cast result_type broadcast_shapes""",
    "takes so many dimensions and no more; matmul, einsum and broadcasting do the same for sets": """
        outer ger dot vdot inner mv mm bmm addmm addmv addr baddbmm addbmm chain_matmul linalg.multi_dot tensordot kron trace
        diag diagflat vander dist pdist cov corrcoef combinations cartesian_prod block_diag meshgrid
        Tensor.H Tensor.T histc histogram bincount bucketize cosine_embedding_loss""",
    "has one list of indices for all": """
        index_select index_copy index_add index_reduce index_put index_put_ Tensor.index_put Tensor.index_put_ put take isin
        masked_select masked_scatter nonzero argwhere operator.getitem operator.setitem Tensor.fill_diagonal_ diagonal_scatter""",
    "counts dimensions from the front, or takes all sizes": """
        vstack row_stack dstack column_stack msort permute Tensor.permute reshape Tensor.reshape Tensor.view ravel Tensor.repeat
        Tensor.expand broadcast_to Tensor.hsplit linalg.tensorinv linalg.tensorsolve""",
    "has one weight for each of dimension 1": "prelu",
}
