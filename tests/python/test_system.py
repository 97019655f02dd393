"""The machine, threads, memory, the package itself."""

import gc
import math
import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest

import luge


def python(code, **environment):
    """Runs a program in an interpreter of its own."""
    folder = str(pathlib.Path(luge.__file__).parent.parent)
    env = {**os.environ, "PYTHONPATH": folder, **environment}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120, check=False)


def test_cuda_says_why_not():
    assert luge.cuda.is_available() == (luge.cuda.why_not() == "")
    assert isinstance(luge.cuda.is_built(), bool) and luge.cuda.device_count() >= 0
    assert set(luge.cuda.versions()) == {"toolkit", "runtime", "driver", "architectures", "blas"}
    if luge.cuda.is_available():
        assert luge.cuda.get_device_name() and luge.cuda.memory_allocated() >= 0
        return
    assert len(luge.cuda.why_not()) > 10
    for action in (
        lambda: luge.zeros(1, device="cuda"), luge.cuda.synchronize, luge.cuda.reset_peak_memory_stats, luge.cuda.get_device_name,
        lambda: luge.synchronize("cuda"), lambda: luge.cuda.memory_allocated(1), lambda: luge.cuda.empty_cache("cuda:0"),
    ):  # fmt: skip
        with pytest.raises(luge.DeviceError):
            action()
    # As in PyTorch, programs may ask for the memory of a GPU that is not there.
    assert luge.cuda.memory_allocated() == luge.cuda.max_memory_allocated() == luge.cuda.memory_reserved() == 0
    assert luge.cuda.empty_cache() is None


def test_memory():
    before = luge.memory_stats().allocated
    x = luge.zeros(1000)
    stats = luge.memory_stats("cpu")
    assert stats.allocated >= before + 4000 and stats.peak >= stats.allocated and stats.reserved >= stats.allocated
    del x
    luge.reset_peak_memory()
    assert luge.memory_stats().peak == luge.memory_stats().allocated
    luge.release_cache()
    luge.synchronize("cpu")
    limit = luge.memory_limit()
    luge.set_memory_limit(10**6)
    try:
        with pytest.raises(luge.OutOfMemoryError):
            luge.zeros(10**6)
    finally:
        luge.set_memory_limit(0)
    assert luge.memory_limit() == limit
    with pytest.raises(ValueError):
        luge.set_memory_limit(-1)


def test_number_of_threads():
    before = luge.get_num_threads()
    x = luge.rand(300_000)
    sums = []
    for threads in (1, 2):
        luge.set_num_threads(threads)
        assert luge.get_num_threads() == threads
        sums.append((x * 3).sum().item())
    luge.set_num_threads(before)
    assert sums[0] == sums[1]
    with pytest.raises(ValueError):
        luge.set_num_threads(0)


def test_precision_of_products():
    assert luge.get_float32_matmul_precision() == "highest"
    x = luge.rand(130, 600)
    before = x @ x.T
    for precision in ("high", "medium", "highest"):
        luge.set_float32_matmul_precision(precision)
        assert luge.get_float32_matmul_precision() == precision
        assert (x @ x.T).equal(before)  # on the CPU nothing changes
    with pytest.raises(ValueError, match=r"^set_float32_matmul_precision: precision is 'tf32'; allowed are"):
        luge.set_float32_matmul_precision("tf32")


def train(seed, steps=60):
    params = luge.Parameters(seed=seed)
    model = luge.nn.Sequential(luge.nn.Linear(20, 64, params=params), luge.nn.Tanh(), luge.nn.Linear(64, 1, params=params))
    optimizer = luge.optim.Adam(params, lr=0.01)
    x = luge.linspace(-1, 1, 20 * 256).view(256, 20)
    for _ in range(steps):
        optimizer.zero_grad()
        luge.nn.functional.mse_loss(model(x), x.sum(1, keepdim=True)).backward()
        optimizer.step()
    return [p.tolist() for p in params]


def test_two_threads_train_two_models():
    expected = [train(1), train(2)]
    found = [None, None]

    def work(number):
        found[number] = train(number + 1)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_the_lock_is_released_in_kernels():
    """A thread that counts goes on while another computes."""
    counted, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            counted[0] += 1
            time.sleep(0)  # gives the lock back

    x = luge.rand(600, 600)
    counter = threading.Thread(target=count)
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # nobody takes the lock from a thread that has it
    counter.start()
    try:
        before = counted[0]
        for _ in range(3):
            x = x @ x / 300
        assert counted[0] > before
    finally:
        stop.set()
        sys.setswitchinterval(switch)
        counter.join()


def test_recording_is_a_matter_of_the_thread():
    seen = []
    with luge.no_grad():
        thread = threading.Thread(target=lambda: seen.append(luge.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_training_takes_no_more_memory():
    """10,000 steps, eager and captured: not one byte more after the tenth, none left when all is gone."""
    gc.collect()
    begun = luge.memory_stats().allocated

    def program():
        params = luge.Parameters(sets=5, seed=0)
        x = params.add("x", 3, luge.init.uniform(-1, 1))
        optimizer = luge.optim.Adam(params, lr=0.01)

        def step():
            optimizer.zero_grad()
            loss = ((x - 0.5) ** 2).sum()
            loss.backward()
            optimizer.step()
            return loss

        return step

    for wrapped in (lambda step: step, luge.capture):
        step = wrapped(program())
        for number in range(10_000):
            step()
            if number == 10:
                gc.collect()
                luge.reset_peak_memory()
                allocated, reserved = luge.memory_stats().allocated, luge.memory_stats().reserved
                objects = len(gc.get_objects())
        assert luge.memory_stats().allocated == allocated and luge.memory_stats().reserved == reserved
        assert len(gc.get_objects()) <= objects + 5
        del step
        gc.collect()
        assert luge.memory_stats().allocated == begun


# ---- the package


def test_import_without_numpy_torch_and_tqdm():
    code = """
import sys
for name in ("numpy", "torch", "tqdm", "matplotlib"): sys.modules[name] = None
import luge
x = luge.tensor([1.0, 2.0], requires_grad=True)
(x * x).sum().backward()
monitor = luge.Monitor()
monitor.record(x.detach())
assert monitor.history.mean == [1.5] and x.grad.tolist() == [2, 4]
try: x.detach().numpy()
except ImportError as error: print("said:", error)
"""
    result = python(code)
    assert result.returncode == 0, result.stderr
    assert "NumPy" in result.stdout or "numpy" in result.stdout


def test_import_is_quick_and_quiet():
    result = python("import sys, luge; print('numpy' in sys.modules, 'torch' in sys.modules)")
    assert result.returncode == 0 and result.stdout.split() == ["False", "False"] and result.stderr == ""


def test_the_interpreter_ends_quietly():
    code = """
import luge
x = luge.ones(3, requires_grad=True)
keep = (x * 2).sum()
step = luge.capture(lambda: x.detach().add_(1))
step()
optimizer = luge.optim.SGD([x])
monitor = luge.Monitor(progress=False)
monitor.record(keep.detach())
"""
    result = python(code)
    assert result.returncode == 0 and result.stderr == "", result.stderr


def test_version():
    assert luge.__version__.count(".") == 2


def test_the_program():
    program = pathlib.Path(luge.__file__).parent / "bin" / "luge"
    folder = str(pathlib.Path(luge.__file__).parent.parent)
    result = subprocess.run([sys.executable, "-m", "luge", "--version"], env={**os.environ, "PYTHONPATH": folder}, timeout=60,
                            capture_output=True, text=True, check=False)  # fmt: skip
    if program.exists():
        assert result.returncode == 0 and luge.__version__ in result.stdout
    else:
        assert result.returncode == 1 and "looked for" in result.stderr


def test_fork():
    """A child goes on with what its parent had."""
    code = """
import os, luge
x = luge.rand(500_000)
total = x.sum().item()
child = os.fork()
if child == 0:
    os._exit(0 if x.sum().item() == total and (x * 2).sum().item() > total else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    result = python(code, LUGE_NUM_THREADS="2")
    assert result.stdout.strip() == "0", result.stderr


# ---- data


def test_data():
    images, labels = luge.arange(20, dtype=luge.float32).view(10, 2), luge.arange(10)
    batches = luge.data.Batches(images, labels, 4, seed=1)
    assert len(batches) == 3
    epoch = batches.epoch(0)
    seen = []
    for batch_images, batch_labels in epoch:
        assert batch_images.tolist() == images[batch_labels].tolist()
        seen += batch_labels.tolist()
    assert len(epoch) == 3 and sorted(seen) == list(range(10)) and seen != list(range(10))
    assert isinstance(epoch, luge.data.Epoch)
    plain = luge.data.Batches(images, labels, batch_size=10, shuffle=False)
    assert plain.epoch(0)[0][1].tolist() == list(range(10))
    for action in (lambda: luge.data.Batches(images, labels, 0), lambda: luge.data.Batches(images, labels[:5]), lambda: epoch[3]):
        with pytest.raises((ValueError, IndexError)):
            action()


def test_data_sets(tmp_path):
    (tmp_path / "x").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 6, 7]))
    assert luge.data.read_idx(str(tmp_path / "x")).tolist() == [5, 6, 7]
    for action in (lambda: luge.data.read_idx("/none"), lambda: luge.data.load_idx_dataset("/none"),
                   lambda: luge.data.find_dataset("no-such-set")):
        with pytest.raises(luge.IoError):
            action()
    for part in ("train", "test"):
        (tmp_path / f"emnist-letters-{part}-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255]))
        (tmp_path / f"emnist-letters-{part}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 3]))
    images, labels = luge.data.load_idx_dataset(tmp_path, split="letters").train
    assert images.tolist() == [[[0], [1]]] and labels.tolist() == [3]
    with pytest.raises(ValueError, match="split is 'digits'; there are letters"):
        luge.data.load_idx_dataset(tmp_path, "digits")
    try:
        folder = luge.data.find_dataset("fashion-mnist")
    except luge.IoError:
        pytest.skip("Fashion-MNIST is not installed")
    dataset = luge.data.load_idx_dataset(folder)
    assert isinstance(dataset, luge.data.Dataset) and dataset.classes == 10 and dataset.pixels == 784
    mean, deviation = dataset.normalize()
    assert 0.2 < mean < 0.4 and 0.3 < deviation < 0.4 and dataset.test[1].shape == (10000,)
    assert abs(float(dataset.train[0].mean())) < 1e-3


def test_constants_of_pytorch():
    assert luge.pi == math.pi and luge.e == math.e and luge.inf == math.inf and math.isnan(luge.nan)
    assert luge.newaxis is None and luge.Size is tuple and isinstance(luge.ones(2, 3).shape, luge.Size)
    assert luge.ones(2)[:, luge.newaxis].shape == luge.Size([2, 1])
