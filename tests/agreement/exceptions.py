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
    "tests/python/test_files.py": "save load",
}

#: Fewer than MIN_SAMPLES samples or MIN_ERRORS errors, because nothing more can be said.
FEWER = {}

#: Operations whose values are computed on the host whatever the device is.
HOST = set()
