"""Safetensors files against the reference library, in both directions."""

import json
import os
import struct

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from safetensors import safe_open as reference_open

import luge

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


@pytest.fixture
def arrays():
    generator = np.random.default_rng(1)
    made = {}
    for name in DTYPES:
        values = (generator.normal(size=(3, 4, 5)) * 50).astype(name)
        made[f"{name}.a"], made[f"{name}.scalar"], made[f"{name}.empty"] = values, np.array(values[0, 0, 0]), values[:0]
    return made


def test_files_have_the_bytes_of_the_reference(tmp_path, arrays):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for metadata in (None, {"format": "np"}, {'a "key"\\\n\x01é': "\t\x1f\u2028 text"}):
        luge.save_file({name: luge.from_numpy(array.copy()) for name, array in arrays.items()}, ours, metadata)
        safetensors.numpy.save_file(arrays, theirs, metadata)
        assert ours.read_bytes() == theirs.read_bytes()


def test_names_of_every_kind_have_the_bytes_of_the_reference(tmp_path):
    names = ["", "a.b", "é", '"', "\\", "/", "\n", "\x00", "\x7f", "\U0001f600", "a" * 300, "__meta__", "Z", "_"]
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    luge.save_file({name: luge.tensor([1.0]) for name in names}, ours)
    safetensors.numpy.save_file({name: np.ones(1, np.float32) for name in names}, theirs)
    assert ours.read_bytes() == theirs.read_bytes()
    assert sorted(luge.load_file(theirs)) == sorted(names)


def test_reads_what_the_reference_writes(tmp_path, arrays):
    path = tmp_path / "x.safetensors"
    safetensors.numpy.save_file(arrays, path, {"a": "1", "b": "2"})
    loaded = luge.load_file(path)
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].shape == array.shape
        np.testing.assert_array_equal(loaded[name].numpy(), array)
        assert loaded[name].numpy().dtype == array.dtype
    with luge.safe_open(path) as file:
        assert file.metadata() == {"a": "1", "b": "2"}


def test_bfloat16_is_read_and_written(tmp_path):
    values = luge.randn(7).to(luge.bfloat16)
    luge.save_file({"x": values}, tmp_path / "x")
    with reference_open(tmp_path / "x", framework="np") as file:
        assert file.get_slice("x").get_dtype() == "BF16"
    assert luge.load_file(tmp_path / "x")["x"].tolist() == values.tolist()


def test_a_transposed_tensor_is_written_as_it_shows(tmp_path):
    # safetensors.numpy.save_file writes the memory of such an array, under the shape of the view.
    x = luge.arange(6).reshape(2, 3).t()
    luge.save_file({"x": x}, tmp_path / "x")
    np.testing.assert_array_equal(safetensors.numpy.load_file(tmp_path / "x")["x"], x.numpy())


def test_parts_are_read_as_the_reference_reads_them(tmp_path):
    array = np.arange(120, dtype=np.float32).reshape(4, 5, 6)
    safetensors.numpy.save_file({"x": array, "m": array > 7}, tmp_path / "x")
    with luge.safe_open(tmp_path / "x", framework="pt", device="cpu") as ours, reference_open(tmp_path / "x", "np") as theirs:
        assert ours.keys() == sorted(theirs.keys())
        assert ours.offset_keys() == theirs.offset_keys()
        mine, reference = ours.get_slice("x"), theirs.get_slice("x")
        assert mine.get_shape() == reference.get_shape() and mine.get_dtype() == reference.get_dtype()
        for key in (0, slice(1, 3), (slice(None), 2), (slice(0, 4, 1), slice(1, 2), slice(3, None)), -1, Ellipsis):
            np.testing.assert_array_equal(mine[key].numpy(), array[key])
        np.testing.assert_array_equal(mine[:2, 1:3].numpy(), reference[:2, 1:3])
        np.testing.assert_array_equal(ours.get_slice("m")[1:, ::2].numpy(), (array > 7)[1:, ::2])
        part = mine[0]
        part.fill_(9)  # a copy: the file stays
        np.testing.assert_array_equal(ours.get_tensor("x").numpy(), array)
        with pytest.raises(IndexError, match=r"safe_open.get_tensor: .* has no tensor 'y'; there are 2: 'm', 'x'"):
            ours.get_tensor("y")
        with pytest.raises(IndexError):
            ours.get_slice("y")
        with pytest.raises(IndexError):
            mine[4]
    with pytest.raises(ValueError, match="the file is closed"):
        ours.keys()
    assert mine[1, 2, 3].item() == array[1, 2, 3]  # a slice keeps its file open


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


BAD = [
    b"",
    struct.pack("<Q", 1 << 40),
    file_of(b"{"),
    file_of({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, b"1234"),
    file_of({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"12345"),
    file_of({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"12345678"),
    file_of({"a": {"dtype": "x", "shape": [1], "data_offsets": [0, 4]}}, b"1234"),
    file_of({"__metadata__": {"a": 1}}),
    file_of(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"1"),
]


@pytest.mark.parametrize("content", BAD)
def test_what_the_reference_refuses_is_refused(tmp_path, content):
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(luge.IoError, match="load_file: '.*bad' is no valid safetensors file"):
        luge.load_file(path)
    with pytest.raises(luge.IoError, match="safe_open: "):
        luge.safe_open(path)
    if b'"a":{"dtype":"U8"' not in content:  # the reference takes the last of two
        with pytest.raises(safetensors.SafetensorError):
            safetensors.numpy.load_file(path)


def test_wrong_arguments_are_named(tmp_path):
    for arguments, words in [
        (([1], "x"), r"save_file: tensors is list; it must be a dict"),
        (({"a": 1}, "x"), r"save_file: tensors\['a'\] is of type int; it must be a tensor"),
        (({1: luge.ones(1)}, "x"), r"save_file: tensors has a key of type int"),
        (({}, "x", {"a": 1}), r"save_file: metadata has a int for a str; both must be str"),
        (({}, "x", [1]), r"save_file: metadata is list"),
    ]:
        with pytest.raises(TypeError, match=words):
            luge.save_file(*arguments)
    with pytest.raises(ValueError, match="safe_open: framework is 'tf'; allowed are 'luge' and 'pt'"):
        luge.safe_open(tmp_path / "x", framework="tf")
    with pytest.raises(OSError, match="load_file: cannot read '.*nowhere': No such file"):
        luge.load_file(tmp_path / "nowhere")
    with pytest.raises(luge.IoError, match="save_file: cannot write '.*': No such file"):
        luge.save_file({}, tmp_path / "nowhere" / "x")
    assert os.listdir(tmp_path) == []


def test_save_and_load_take_state_dicts_and_give_other_names(tmp_path):
    path = tmp_path / "model.safetensors"
    model = luge.nn.Sequential(luge.nn.Linear(3, 4), luge.nn.ReLU(), luge.nn.Linear(4, 2))
    luge.save(model.state_dict(), path)
    other = luge.nn.Sequential(luge.nn.Linear(3, 4), luge.nn.ReLU(), luge.nn.Linear(4, 2))
    other.load_state_dict(luge.load(path))
    x = luge.randn(5, 3)
    assert other(x).tolist() == model(x).tolist()
    assert sorted(luge.load(path, rename={"0": "hidden", "2.bias": "out.b"})) == ["2.weight", "hidden.bias", "hidden.weight", "out.b"]
    assert sorted(luge.load(path, rename=lambda name: None if "bias" in name else name[:1])) == ["0", "2"]
    assert sorted(luge.load(path, rename={"2": None, "0.bias": "b"})) == ["0.weight", "b"]
    with pytest.raises(TypeError, match="^load: rename is of type int; it must be a function or a dict of names"):
        luge.load(path, rename=3)
    with pytest.raises(TypeError, match="^load: rename gives an object of type int for '0.weight'; it must give a str or None"):
        luge.load(path, rename={"0": 3})
    with pytest.raises(ValueError, match="load: rename gives 'x' to both '0.weight' and '0.bias'"):
        luge.load(path, rename=lambda name: "x")
    with pytest.raises(TypeError, match="load: rename gives an object of type int for '0.weight'"):
        luge.load(path, rename=lambda name: 1)
    with pytest.raises(TypeError, match="save: obj is of type Sequential; it must be a dict of tensors"):
        luge.save(model, path)
    with pytest.raises(luge.IoError, match="load: cannot read '.*nowhere': No such file"):
        luge.load(tmp_path / "nowhere")
    luge.save_npy(path, luge.ones(2))
    with pytest.raises(luge.IoError, match="load: '.*' is an npy file; luge.load_npy reads it"):
        luge.load(path)
    path.write_bytes(b"{}")
    with pytest.raises(luge.IoError, match="load: '.*' is no valid safetensors file"):
        luge.load(path)
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.ones(1)}, path)
    with pytest.raises(luge.IoError, match="load: .* is a pickle or an archive, as torch.save writes"):
        luge.load(path)


def test_weights_that_pytorch_users_export_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    save_file(theirs.state_dict(), str(tmp_path / "x"))
    ours = luge.nn.Sequential(luge.nn.Linear(3, 4), luge.nn.Tanh(), luge.nn.Linear(4, 2))
    ours.load_state_dict(luge.load(tmp_path / "x"))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_allclose(ours(luge.tensor(x)).detach().numpy(), theirs(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_files_are_refused_while_a_step_is_captured(tmp_path):
    x = luge.ones(2)
    luge.save_file({"x": x}, tmp_path / "x")
    for body in (
        lambda: luge.save_file({"x": x}, tmp_path / "y"),
        lambda: luge.load_file(tmp_path / "x"),
        lambda: luge.safe_open(tmp_path / "x"),
    ):
        with pytest.raises(luge.CaptureError):
            luge.capture(body)()
    assert not (tmp_path / "y").exists()


def test_paths_and_names_that_are_no_text(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    luge.save_file({"a": luge.ones(2)}, path)
    assert sorted(luge.load_file(path)) == sorted(luge.load(path)) == ["a"]
    luge.save_npy(path, luge.ones(2))
    luge.save_npz(path + "z", {"a": luge.ones(2)})
    assert len(os.listdir(os.fsencode(tmp_path))) == 2
    with pytest.raises(luge.IoError, match=r"^load: '.*' is an npy file"):
        luge.load(path)
    monitor = luge.Monitor(progress=False)
    tensors = {"a": luge.ones(1)}
    calls = {
        "save_file": lambda path: luge.save_file(tensors, path),
        "load_file": luge.load_file,
        "save": lambda path: luge.save(tensors, path),
        "load": luge.load,
        "safe_open": luge.safe_open,
        "save_npy": lambda path: luge.save_npy(path, luge.ones(1)),
        "load_npy": luge.load_npy,
        "save_npz": lambda path: luge.save_npz(path, tensors),
        "load_npz": luge.load_npz,
        "Monitor.write_csv": monitor.write_csv,
        "Monitor.write_jsonl": monitor.write_jsonl,
        "report": monitor.report,
        "read_idx": luge.data.read_idx,
        "load_idx_dataset": luge.data.load_idx_dataset,
    }
    for name, call in calls.items():
        with pytest.raises(ValueError, match=rf"^{name}: the path '.*a\\x00b' names no file: it holds a zero byte"):
            call(str(tmp_path / "a\0b"))
        with pytest.raises(ValueError, match=rf"^{name}: the path '.*\\ud800' names no file: it holds a lone surrogate"):
            call(str(tmp_path / "\ud800"))
    for save in (lambda names: luge.save_file(names, path), lambda names: luge.save_npz(path, names)):
        with pytest.raises(ValueError, match=r"^save_(file|npz): a name in tensors is '\\udcff', which holds a lone surrogate"):
            save({"\udcff": luge.ones(1)})
    with pytest.raises(ValueError, match=r"^save_file: a text in metadata is '\\udcff', which holds a lone surrogate"):
        luge.save_file({}, path, {"a": "\udcff"})
    with pytest.raises(luge.IoError, match=r"^load_npy: cannot read '.*\\xff\\xfe': No such file"):
        luge.load_npy(path + "\udcfe")
    assert len(os.listdir(os.fsencode(tmp_path))) == 2


def test_long_names_and_links_to_nothing(tmp_path):
    path = tmp_path / ("n" * 255)
    luge.save_file({"a": luge.ones(2)}, path)
    luge.save_npy(path, luge.ones(2))
    assert luge.load_npy(path).tolist() == [1, 1]
    (tmp_path / "link").symlink_to("target")
    luge.save_npy(tmp_path / "link", luge.zeros(1))
    assert (tmp_path / "link").is_symlink() and luge.load_npy(tmp_path / "target").tolist() == [0]
    assert len(os.listdir(tmp_path)) == 3


def test_dtypes_that_luge_has_not_show_what_they_are(tmp_path):
    path = tmp_path / "x"
    safetensors.numpy.save_file({"a": np.ones((2, 3), np.uint16), "b": np.ones(4, np.uint64), "c": np.ones(2, np.float32)}, path)
    with luge.safe_open(path) as file:
        for name, dtype, shape in (("a", "U16", [2, 3]), ("b", "U64", [4])):
            part = file.get_slice(name)
            assert (part.get_dtype(), list(part.get_shape())) == (dtype, shape)
            with pytest.raises(luge.DTypeError, match=f"^safe_open: tensor '{name}' is {dtype}, which luge has no dtype for"):
                part[:1]
        for key in (slice(None, None, 0), slice(0, 1, -1), slice("a", None), 2.5, "a"):
            with pytest.raises((IndexError, ValueError, TypeError), match="^indexing: "):
                file.get_slice("c")[key]
        with pytest.raises(IndexError, match="has no tensor 'd'"):
            file.get_slice("d")


def test_places_of_reports_are_checked(tmp_path):
    monitor = luge.Monitor(progress=False)
    monitor.record(luge.ones(1))
    with pytest.raises(luge.IoError, match="^report: cannot make the folder '': the path is empty"):
        monitor.report("")
    with pytest.raises(TypeError, match="^report: options is of type int; it must be a dict"):
        monitor.report(tmp_path, options=3)
    for write, name in ((monitor.write_csv, "write_csv"), (monitor.write_jsonl, "write_jsonl")):
        with pytest.raises(luge.IoError, match=f"^Monitor.{name}: cannot write '.*': it is a folder"):
            write(tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(luge.IoError, match="^report: .*file: cannot make the folder: "):
        monitor.report(file)
    pytest.importorskip("tensorboardX")
    with pytest.raises(luge.IoError, match="^write_tensorboard: cannot write '.*file': it is no folder"):
        monitor.write_tensorboard(file)
    with pytest.raises(luge.IoError, match="^write_tensorboard: cannot write '.*file/run': Not a directory"):
        monitor.write_tensorboard(file / "run")
    for wrong, kind in (("", ValueError), ("a\0b", ValueError), (3, TypeError)):
        with pytest.raises(kind, match="^write_tensorboard: logdir "):
            monitor.write_tensorboard(wrong)


def test_load_has_the_options_of_pytorch(tmp_path):
    path = tmp_path / "x.safetensors"
    luge.save({"x": luge.ones(2)}, path)
    for options in ({"map_location": "cpu"}, {"map_location": luge.device("cpu"), "weights_only": True}, {"map_location": None}):
        assert luge.load(path, **options)["x"].tolist() == [1, 1]
    with pytest.raises(ValueError, match="weights_only is False; it must be True"):
        luge.load(path, weights_only=False)
    with pytest.raises(TypeError, match="load: device and map_location are given"):
        luge.load(path, "cpu", map_location="cpu")
    with pytest.raises(TypeError, match="map_location is of type int"):
        luge.load(path, map_location=3)
