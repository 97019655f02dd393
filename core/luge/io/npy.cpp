#include <luge/io/npy.h>

#include <luge/base/detail/check.h>
#include <luge/io/detail/file.h>
#include <luge/io/detail/npy_format.h>
#include <luge/ops/create.h>
#include <luge/seam/observer.h>

namespace luge {

namespace {

Tensor mapped(const NpyPlace& place, const InputFile& file, const NpyHeader& header) {
  const auto refuse = [&](const std::string& why) {
    raise<IoError>("{}: {}: cannot be mapped: {}; read it without mmap", place.op, place.file, why);
  };
  if (header.swapped) refuse("the bytes of its numbers are in the other order");
  if (header.dtype == DType::Bool) refuse("bytes other than 0 and 1 are no bools, and all would have to be looked at");
  if (header.data % size_of(header.dtype) != 0)
    refuse(fmt::format("its numbers begin at offset {}, no multiple of the {} bytes of {}", header.data,
                       size_of(header.dtype), name(header.dtype)));
  const Shape shape = stored_shape(header);
  if (header.bytes == 0) return as_in_header(header, empty(shape, {.dtype = header.dtype}));
  std::shared_ptr<std::byte> bytes = file.map_privately();
  std::byte* const data = bytes.get() + header.data;
  return as_in_header(header, from_memory(data, shape, contiguous_strides(shape), header.dtype, Device::cpu(),
                                          [bytes = std::move(bytes)]() mutable { bytes.reset(); }));
}

}  // namespace

void save_npy(const std::string& path, const Tensor& tensor, SourceLocation location) {
  const Operation called("save_npy");
  refuse_capture("save_npy", kHostRead, location);
  NpyPieces pieces("save_npy", "tensor", tensor);
  OutputFile file("save_npy", path);
  pieces.begin();
  for (auto piece = pieces.next(); !piece.empty(); piece = pieces.next()) file.write(piece.data(), piece.size());
  file.commit();
}

Tensor load_npy(const std::string& path, Device device, bool mmap, SourceLocation location) {
  const Operation called("load_npy");
  refuse_capture("load_npy", kHostWrite, location);
  LUGE_CHECK(DeviceError, !mmap || device.is_cpu(), "load_npy: mmap is for the memory of the CPU; device is {}",
             to_string(device));
  const InputFile file("load_npy", path);
  const NpyPlace place{"load_npy", fmt::format("'{}'", path)};
  std::uint64_t at = 0;
  const ReadNext read = [&](void* destination, std::size_t bytes) {
    file.read(at, destination, bytes);
    at += bytes;
  };
  const NpyHeader header = read_npy_header(place, file.size(), read);
  return mmap ? mapped(place, file, header) : read_npy_values(header, read, device);
}

}  // namespace luge
