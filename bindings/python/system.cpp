// The machine: CUDA, memory, threads; and data sets.

#include <algorithm>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

#include <luge/version.h>

#include "python.h"

namespace luge::python {

namespace {

void bind_cuda(nb::module_& m) {
  nb::module_ cuda = m.def_submodule("_cuda", "What is known of CUDA on this machine.");
  cuda.def(
      "is_available", [] { return cuda_status().usable; }, "Whether a GPU can be used.");
  cuda.def(
      "why_not", [] { return cuda_status().reason; },
      "Why no GPU can be used: not built with CUDA, no driver, no device, ...; empty where one can.");
  cuda.def(
      "is_built", [] { return cuda_status().built; }, "Whether luge was built with CUDA.");
  cuda.def(
      "device_count", [] { return cuda_status().gpus.size(); }, "The number of GPUs.");
  cuda.def(
      "get_device_name",
      [](std::size_t index) {
        const auto& gpus = cuda_status().gpus;
        if (index >= gpus.size())
          throw DeviceError(
              fmt::format("get_device_name: there is no GPU number {}; there are {}", index, gpus.size()));
        return gpus[index].name;
      },
      "device"_a = 0, "The name of a GPU. Raises DeviceError where there is none.");
  cuda.def(
      "versions",
      [] {
        const CudaStatus& status = cuda_status();
        nb::dict result;
        result["toolkit"] = status.toolkit;
        result["runtime"] = status.runtime;
        result["driver"] = status.driver;
        result["architectures"] = status.architectures;
        result["blas"] = status.blas;
        return result;
      },
      "Versions of toolkit, runtime and driver, and the architectures in the binary; empty where unknown.");
}

/// By MatmulPrecision.
constexpr std::string_view kPrecisions[] = {"highest", "high", "medium"};

void bind_memory(nb::module_& m) {
  nb::class_<MemoryStats>(m, "MemoryStats", "Bytes of a device's memory.")
      .def_ro("allocated", &MemoryStats::allocated, "In tensors now.")
      .def_ro("peak", &MemoryStats::peak, "The most ever in tensors.")
      .def_ro("reserved", &MemoryStats::reserved, "Held from the system.");
  m.def(
      "memory_stats", [](std::optional<DeviceArgument> device) { return memory_stats(device.value_or(Device::cpu())); },
      "device"_a = nb::none(),
      "Bytes in tensors of a device, the most there ever were, and bytes held from the system.\n\n"
      ">>> luge.memory_stats(\"cpu\").allocated >= 0\nTrue");
  m.def(
      "reset_peak_memory",
      [](std::optional<DeviceArgument> device) { reset_peak_memory(device.value_or(Device::cpu())); },
      "device"_a = nb::none(), "Sets the peak back to what is allocated now.");
  m.def(
      "release_cache", [](std::optional<DeviceArgument> device) { release_cache(device.value_or(Device::cpu())); },
      "device"_a = nb::none(), "Gives memory that is cached for later tensors back to the system.");
  m.def(
      "set_memory_limit",
      [](std::int64_t bytes) {
        if (bytes < 0) throw ValueError(fmt::format("set_memory_limit: bytes is {}; it must be 0 or more", bytes));
        set_memory_limit(static_cast<std::size_t>(bytes));
      },
      "bytes"_a, "The most bytes of the CPU's memory that tensors take; 0: the default.");
  m.def("memory_limit", &memory_limit, "The limit in force, in bytes.");
  m.def(
      "synchronize",
      [](std::optional<DeviceArgument> device) {
        const nb::gil_scoped_release unlocked;
        backend(device.value_or(Device::best())).synchronize();
      },
      "device"_a = nb::none(),
      "Waits until everything queued on a device has run and raises errors that came up meanwhile.");
  m.def("get_num_threads", &num_threads, "Threads that CPU kernels may use.");
  m.def("set_num_threads", &set_num_threads, "threads"_a,
        "Sets the number of threads of CPU kernels. Raises ValueError below 1. Results never depend on it.");
  m.def(
      "set_float32_matmul_precision",
      [](const std::string& precision) {
        const auto* const name = std::ranges::find(kPrecisions, precision);
        if (name == std::end(kPrecisions))
          throw ValueError(
              fmt::format("set_float32_matmul_precision: precision is '{}'; allowed are 'highest', 'high' and 'medium'",
                          precision));
        set_float32_matmul_precision(static_cast<MatmulPrecision>(name - std::begin(kPrecisions)));
      },
      "precision"_a,
      "What a GPU may do with the factors of large float32 products from now on: 'highest' (the default) keeps them, "
      "'high' and 'medium' round them to TF32, 11 bits of 24, for the tensor cores. Captured steps keep what they were "
      "captured with. Raises ValueError for anything else.");
  m.def(
      "get_float32_matmul_precision",
      [] { return std::string(kPrecisions[static_cast<std::size_t>(float32_matmul_precision())]); },
      "'highest', 'high' or 'medium'.");
}

// ---- data

nb::object pair_of(const LabelledImages& samples) { return nb::make_tuple(wrap(samples.images), wrap(samples.labels)); }

void bind_data(nb::module_& m) {
  nb::module_ data = m.def_submodule("_data", "Data sets and mini-batches.");
  data.def(
      "read_idx",
      [](const PathArgument& path) {
        const SourceLocation at = location();
        const std::string file = path.native("read_idx");
        const nb::gil_scoped_release unlocked;
        return read_idx(file).to_tensor(at);
      },
      "path"_a, "A file in the IDX format, plain or compressed by gzip. Raises IoError naming file and offset.");
  data.def(
      "find_dataset", [](const std::string& name) { return find_dataset(name); }, "name"_a,
      "The folder of a data set by name. Raises IoError naming the places where it was looked for.");
  nb::class_<Dataset> dataset(data, "Dataset",
                              "Labelled images, on the CPU: float32, in [0, 1] where the file holds bytes; labels as int64.");
  dataset
      .def_prop_ro(
          "train", [](const Dataset& d) { return pair_of(d.train); }, "The training images and labels.")
      .def_prop_ro(
          "test", [](const Dataset& d) { return pair_of(d.test); }, "The test images and labels.")
      .def_ro("classes", &Dataset::classes, "One more than the largest label.")
      .def_prop_ro("pixels", &Dataset::pixels, "Numbers in one image.")
      .def(
          "normalize",
          [](Dataset& d) {
            const Moments moments = normalize(d, location());
            return std::pair(moments.mean, moments.deviation);
          },
          "(images - mean) / deviation, in place, with the moments of the training images, which are returned.");
  data.def(
      "load_idx_dataset",
      [](const PathArgument& directory, const std::optional<std::string>& split) {
        const SourceLocation at = location();
        const std::string folder = directory.native("load_idx_dataset");
        const nb::gil_scoped_release unlocked;
        return load_idx_dataset(folder, split.value_or(""), at);
      },
      "directory"_a, "split"_a = nb::none(),
      "Reads the four files of MNIST, Fashion-MNIST, KMNIST, QMNIST or EMNIST from a folder. `split` is EMNIST's, such as 'letters', "
      "whose images are turned upright. Raises IoError naming the file, ValueError for a split that is missing or not there.");

  nb::class_<Batches> batches(
      data, "Batches",
      "Serves samples in mini-batches, in an order of its own for every epoch. The samples move to the "
      "device once; a batch is picked there.");
  batches
      .def(
          "__init__",
          [](Batches* self, const Tensor& images, const Tensor& labels, std::int64_t batch_size, bool shuffle,
             std::uint64_t seed, std::optional<DeviceArgument> device) {
            new (self) Batches(
                {images, labels},
                {.batch = batch_size, .seed = seed, .shuffle = shuffle, .device = device.value_or(Device::cpu())});
          },
          "images"_a, "labels"_a, "batch_size"_a = 64, nb::kw_only(), "shuffle"_a = true, "seed"_a = 0,
          "device"_a = nb::none())
      .def("__len__", &Batches::size, "Batches in an epoch.")
      .def(
          "epoch", [](const Batches& self, std::int64_t number) { return self.epoch(number, location()); }, "number"_a,
          "The batches of an epoch: a permutation keyed by the seed and the number.");
  nb::class_<Batches::Epoch> epoch(data, "Epoch", "A pass over all samples: a sequence of (images, labels).");
  epoch.def("__len__", &Batches::Epoch::size)
      .def(
          "__getitem__",
          [](const Batches::Epoch& self, std::int64_t index) {
            const Batch batch = self[index];
            return nb::make_tuple(wrap(batch.images), wrap(batch.labels));
          },
          "index"_a);
  nb::class_<BatchStream> stream(data, "BatchStream",
                                 "Serves batches one after the other, epoch after epoch, and knows where it is: what "
                                 "luge.checkpoint takes for a loader.");
  stream
      .def(
          "__init__", [](BatchStream* self, const Batches& served) { new (self) BatchStream(served); }, "batches"_a)
      .def(
          "__iter__", [](nb::handle self) { return nb::borrow(self); }, nb::sig("def __iter__(self) -> BatchStream"))
      .def(
          "__next__",
          [](BatchStream& self) {
            const Batch batch = self.next(location());
            return nb::make_tuple(wrap(batch.images), wrap(batch.labels));
          },
          nb::sig("def __next__(self) -> tuple[Tensor, Tensor]"))
      .def_prop_ro("epoch", &BatchStream::epoch, "The epoch of the next batch.")
      .def_prop_ro("index", &BatchStream::index, "The number of the next batch in its epoch.")
      .def("seek", &BatchStream::seek, "epoch"_a, "index"_a = 0, "Goes to a place.");
}

}  // namespace

void bind_system(nb::module_& m) {
  m.attr("_version") = LUGE_VERSION;
  bind_cuda(m);
  bind_memory(m);
  bind_data(m);
}

}  // namespace luge::python
