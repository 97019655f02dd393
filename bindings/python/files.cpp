// Safetensors files.

#include <nanobind/stl/map.h>

#include <fmt/format.h>

#include <luge/io/safetensors.h>

#include "python.h"

namespace luge::python {

nb::dict as_dict(const std::map<std::string, Tensor>& tensors) {
  nb::dict result;
  for (const auto& [name, tensor] : tensors) result[nb::str(name.data(), name.size())] = wrap(tensor);
  return result;
}

std::map<std::string, Tensor> named_tensors(const char* op, const char* argument, nb::handle given) {
  if (!nb::isinstance<nb::dict>(given))
    throw TypeError(fmt::format("{}: {} is {}; it must be a dict of names and tensors", op, argument, type_of(given)));
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, value] : nb::borrow<nb::dict>(given)) {
    if (!nb::isinstance<nb::str>(name))
      throw TypeError(fmt::format("{}: {} has a key of type {}; names must be str", op, argument, type_of(name)));
    std::string key = text_of(op, fmt::format("a name in {}", argument), name);
    if (!is_tensor(value))
      throw TypeError(
          fmt::format("{}: {}['{}'] is of type {}; it must be a tensor", op, argument, key, type_of(value)));
    tensors.insert_or_assign(std::move(key), as_tensor(value));
  }
  return tensors;
}

namespace {

Metadata texts(const char* op, nb::handle given) {
  Metadata result;
  if (given.is_none()) return result;
  if (!nb::isinstance<nb::dict>(given))
    throw TypeError(fmt::format("{}: metadata is {}; it must be a dict of str, or None", op, type_of(given)));
  for (const auto& [name, value] : nb::borrow<nb::dict>(given)) {
    if (!nb::isinstance<nb::str>(name) || !nb::isinstance<nb::str>(value))
      throw TypeError(
          fmt::format("{}: metadata has a {} for a {}; both must be str", op, type_of(value), type_of(name)));
    result[text_of(op, "a name in metadata", name)] = text_of(op, "a text in metadata", value);
  }
  return result;
}

/// An open file, until it is closed.
class SafeOpen {
 public:
  SafeOpen(const std::string& path, const std::string& framework, Device device) : device_(device) {
    if (framework != "luge" && framework != "pt")
      throw ValueError(fmt::format(
          "safe_open: framework is '{}'; allowed are 'luge' and 'pt', and both give tensors of luge", framework));
    backend(device);
    file_ = std::make_shared<const SafetensorsFile>("safe_open", path);
  }
  const SafetensorsFile& file() const {
    if (!file_) throw ValueError("safe_open: the file is closed");
    return *file_;
  }
  const std::shared_ptr<const SafetensorsFile>& shared() const { return file(), file_; }
  Device device() const { return device_; }
  void close() { file_.reset(); }

 private:
  Device device_;
  std::shared_ptr<const SafetensorsFile> file_;
};

/// A tensor of a file that is read in parts.
struct FileSlice {
  std::shared_ptr<const SafetensorsFile> file;
  std::string name;
  Device device;

  nb::object get(nb::handle key) const {
    refuse_capture("get_slice", kHostWrite, location());
    const Tensor view = file->view(name);
    const nb::object picked = wrap(view)[key];
    const Tensor part = as_tensor(picked);
    const Unlocked unlocked(part);
    // The view is of the file's own pages.
    const Tensor copy = file->dtype(name) == DType::Bool ? part.ne(0) : part.clone();
    return wrap(copy.to(device));
  }
};

void bind_safe_open(nb::module_& m) {
  nb::class_<FileSlice>(m, "_FileSlice", "A tensor of an open file: indexing it reads that part.")
      .def("__getitem__", &FileSlice::get, "key"_a.none(), nb::sig("def __getitem__(self, key: object, /) -> Tensor"))
      .def(
          "get_shape", [](const FileSlice& self) { return (*self.file)[self.name].shape; }, "The sizes.")
      .def(
          "get_dtype", [](const FileSlice& self) { return (*self.file)[self.name].dtype; },
          "The dtype as the file names it: \"F32\".");
  nb::class_<SafeOpen>(
      m, "safe_open",
      "A safetensors file, open for reading; closed by `with` or close(). The header is checked whole "
      "first.\n\n>>> import tempfile, os\n>>> path = os.path.join(tempfile.mkdtemp(), 'x.safetensors')\n"
      ">>> luge.save_file({'w': luge.eye(3)}, path)\n>>> with luge.safe_open(path) as file:\n"
      "...     file.keys(), file.get_slice('w')[1:, :2]\n(['w'], tensor([[0., 1.],\n        [0., 0.]]))")
      .def(
          "__init__",
          [](SafeOpen* self, const PathArgument& filename, const std::string& framework,
             std::optional<DeviceArgument> device) {
            refuse_capture("safe_open", kHostWrite, location());
            new (self) SafeOpen(filename.native("safe_open"), framework, device.value_or(Device::cpu()));
          },
          "filename"_a, "framework"_a = "luge", "device"_a = nb::none())
      .def(
          "__enter__", [](nb::handle self) { return nb::borrow(self); }, nb::sig("def __enter__(self) -> safe_open"))
      .def(
          "__exit__", [](SafeOpen& self, nb::handle, nb::handle, nb::handle) { self.close(); }, "kind"_a.none(),
          "error"_a.none(), "trace"_a.none())
      .def("close", &SafeOpen::close, "Closes the file.")
      .def(
          "keys",
          [](const SafeOpen& self) {
            std::vector<std::string> names;
            for (const auto& [name, stored] : self.file().tensors()) names.push_back(name);
            return names;
          },
          "The names, sorted.")
      .def(
          "offset_keys", [](const SafeOpen& self) { return self.file().offset_names(); },
          "The names in the order of the file.")
      .def(
          "metadata", [](const SafeOpen& self) { return self.file().metadata(); }, "The texts beside the tensors.")
      .def(
          "get_tensor",
          [](const SafeOpen& self, const std::string& name) {
            const SourceLocation at = location();
            const auto file = self.shared();
            const nb::gil_scoped_release unlocked;
            return file->tensor(name, self.device(), at);
          },
          "name"_a, "A tensor. Raises IndexError for a name that is not there.")
      .def(
          "get_slice",
          [](const SafeOpen& self, const std::string& name) {
            static_cast<void>(self.file()[name]);
            return FileSlice{self.shared(), name, self.device()};
          },
          "name"_a, "A tensor to be read in parts, by indexing.");
}

}  // namespace

void bind_files(nb::module_& m) {
  m.def(
      "save_file",
      [](nb::handle tensors, const PathArgument& filename, nb::handle metadata) {
        const SourceLocation at = location();
        const auto given = named_tensors("save_file", "tensors", tensors);
        const Metadata told = texts("save_file", metadata);
        const std::string path = filename.native("save_file");
        const nb::gil_scoped_release unlocked;
        save_file(given, path, told, at);
      },
      "tensors"_a.none(), "filename"_a, "metadata"_a = nb::none(),
      nb::sig("def save_file(tensors: dict[str, Tensor], filename: str | os.PathLike[str], metadata: dict[str, str] | "
              "None = "
              "None) -> None"),
      "Writes a safetensors file. It appears whole or not at all; a tensor is written as it shows, whatever its "
      "strides.");
  m.def(
      "load_file",
      [](const PathArgument& filename, std::optional<DeviceArgument> device) {
        const SourceLocation at = location();
        const Device where = device.value_or(Device::cpu());
        const std::string path = filename.native("load_file");
        std::map<std::string, Tensor> tensors;
        {
          const nb::gil_scoped_release unlocked;
          tensors = load_file(path, where, at);
        }
        return as_dict(tensors);
      },
      "filename"_a, "device"_a = nb::none(),
      nb::sig(
          "def load_file(filename: str | os.PathLike[str], device: device | str | None = None) -> dict[str, Tensor]"),
      "The tensors of a safetensors file.");
  bind_safe_open(m);
}

}  // namespace luge::python
