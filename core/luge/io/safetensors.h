#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// Texts that a file carries beside its tensors.
using Metadata = std::map<std::string, std::string>;

/// Writes tensors as a safetensors file (https://github.com/huggingface/safetensors, format of version 0.x): byte by
/// byte what the reference library writes for the same tensors and at most one text of metadata. A tensor is written as
/// it shows, whatever its strides; tensors on a GPU come to the host piece by piece. The file appears whole or not at
/// all: it is written beside `path`, brought to the disk, and renamed.
/// Throws IoError naming path and reason, ValueError for an undefined tensor, the name "__metadata__" and texts that
/// are no UTF-8, CaptureError while a step is captured.
void save_file(const std::map<std::string, Tensor>& tensors, const std::string& path, const Metadata& metadata = {},
               SourceLocation location = SourceLocation::current());

/// The tensors of a safetensors file, all checked before the first is made. See SafetensorsFile for the errors.
std::map<std::string, Tensor> load_file(const std::string& path, Device device = Device::cpu(),
                                        SourceLocation location = SourceLocation::current());

/// What a safetensors file says of one tensor.
struct StoredTensor {
  std::string dtype;                ///< as the file names it: "F32", "BF16", ...
  std::vector<std::int64_t> shape;  ///< of any number of dimensions
  std::uint64_t begin = 0;          ///< of its first byte in the file
  std::uint64_t bytes = 0;
};

/// A safetensors file that is open for reading. Opening reads the header alone and checks all of it: its length, the
/// JSON, that no name is given twice, every dtype and shape against the bytes that it takes, and that the tensors fill
/// the file without a hole or an overlap. Throws IoError naming the path and what is wrong. The file must not become
/// shorter while it is open.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path, SourceLocation location = SourceLocation::current());
  /// The same under the name of the function that the user called.
  SafetensorsFile(const char* op, const std::string& path);
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;

  const std::string& path() const;
  const std::map<std::string, StoredTensor>& tensors() const;
  const Metadata& metadata() const;
  /// The names in the order of the bytes.
  std::vector<std::string> offset_names() const;
  bool contains(std::string_view name) const;
  /// Throws IndexError naming what there is.
  const StoredTensor& operator[](std::string_view name) const;

  /// Its dtype here. Throws DTypeError for one that luge has not (the 8-bit floats, unsigned integers of 16 bits and
  /// more, complex numbers).
  DType dtype(std::string_view name) const;
  /// Its shape here. Throws ShapeError beyond kMaxDims dimensions.
  Shape shape(std::string_view name) const;
  /// A copy of the tensor on `device`.
  Tensor tensor(std::string_view name, Device device = Device::cpu(),
                SourceLocation location = SourceLocation::current()) const;
  /// Its bytes as they are in the file, uint8 of one dimension, on the CPU.
  Tensor bytes(std::string_view name) const;
  /// The tensor as it lies in the file, mapped into memory: only what is read of it is loaded. It must not be written
  /// to: that raises SIGSEGV. Bool is seen as uint8. A copy where the file has it at an odd address.
  Tensor view(std::string_view name) const;
  /// Whether the metadata hold a checksum of the header, as checkpoints' do, and the header does not agree with it.
  bool header_is_damaged() const;

 private:
  class Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace luge
