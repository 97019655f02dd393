// NumPy's files: npy and npz.

#include <map>
#include <string>
#include <utility>

#include "python.h"

namespace luge::python {

void bind_npy(nb::module_& m) {
  m.def(
      "save_npy",
      [](const PathArgument& path, const Tensor& tensor) {
        const SourceLocation at = location();
        const std::string file = path.native("save_npy");
        const nb::gil_scoped_release unlocked;
        save_npy(file, tensor, at);
      },
      "path"_a, "tensor"_a,
      "Writes the values to a file as `numpy.save` does, byte by byte. Nothing is added to the path. The file appears "
      "whole or not at all.\n\nRaises DTypeError for bfloat16, which NumPy does not know, and IoError.");
  m.def(
      "load_npy",
      [](const PathArgument& path, std::optional<DeviceArgument> device, bool mmap) {
        const SourceLocation at = location();
        const std::string file = path.native("load_npy");
        const Device to = device.value_or(Device::cpu());
        const nb::gil_scoped_release unlocked;
        return load_npy(file, to, mmap, at);
      },
      "path"_a, "device"_a = nb::none(), "mmap"_a = false,
      "Reads an array that `numpy.save` has written; one in Fortran order has such strides here, too. Pickles are "
      "never "
      "read.\n\nWith `mmap` the file is mapped: opening it costs nothing, a part is read when it is used, and what is "
      "written to the tensor does not reach the file, as with NumPy's `mmap_mode=\"c\"`. It must have this machine's "
      "byte "
      "order and no bools, and must not become shorter meanwhile.\n\nRaises IoError naming the file and what is wrong "
      "with "
      "it, DTypeError for what luge has not, and ShapeError for more than 8 dimensions.\n\n"
      ">>> import os, tempfile\n>>> with tempfile.TemporaryDirectory() as folder:\n"
      "...     path = os.path.join(folder, \"x.npy\")\n...     luge.save_npy(path, luge.ones(2))\n"
      "...     luge.load_npy(path)\ntensor([1., 1.])");
  m.def(
      "save_npz",
      [](const PathArgument& path, nb::handle tensors, bool compressed) {
        const SourceLocation at = location();
        const std::string file = path.native("save_npz");
        const std::map<std::string, Tensor> given = named_tensors("save_npz", "tensors", tensors);
        const nb::gil_scoped_release unlocked;
        save_npz(file, given, compressed, at);
      },
      "path"_a, "tensors"_a.none(), "compressed"_a = false,
      nb::sig("def save_npz(path: str | os.PathLike, tensors: dict[str, Tensor], compressed: bool = False) -> None"),
      "Writes tensors to an archive that `numpy.load` reads, as `numpy.savez` and `numpy.savez_compressed` do, sorted "
      "by "
      "name: the same tensors make the same bytes. The file appears whole or not at all.\n\nRaises DTypeError for "
      "bfloat16, which NumPy does not know, and IoError.");
  m.def(
      "load_npz",
      [](const PathArgument& path, std::optional<DeviceArgument> device) {
        const SourceLocation at = location();
        const std::string file = path.native("load_npz");
        const Device to = device.value_or(Device::cpu());
        std::map<std::string, Tensor> tensors;
        {
          const nb::gil_scoped_release unlocked;
          tensors = load_npz(file, to, at);
        }
        return as_dict(tensors);
      },
      "path"_a, "device"_a = nb::none(),
      nb::sig("def load_npz(path: str | os.PathLike, device: device | str | None = None) -> dict[str, Tensor]"),
      "Reads all arrays of an archive that `numpy.savez` or `numpy.savez_compressed` has written.\n\nRaises IoError "
      "naming "
      "the file, the array and what is wrong with it, DTypeError for what luge has not, and ShapeError for more than 8 "
      "dimensions.\n\n"
      ">>> import os, tempfile\n>>> with tempfile.TemporaryDirectory() as folder:\n"
      "...     path = os.path.join(folder, \"x.npz\")\n...     luge.save_npz(path, {\"a\": luge.ones(2)})\n"
      "...     luge.load_npz(path)\n{'a': tensor([1., 1.])}");
}

}  // namespace luge::python
