#pragma once
// Files in the IDX format of LeCun's MNIST pages: two zero bytes, the element type, the number of
// dimensions, one 32-bit size each, then the elements, all big-endian; plain or compressed by gzip.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// Element types of the format, with the codes it gives them.
enum class IdxType : std::uint8_t {
  UInt8 = 0x08,
  Int8 = 0x09,
  Int16 = 0x0B,
  Int32 = 0x0C,
  Float32 = 0x0D,
  Float64 = 0x0E,
};

/// What an IDX file holds, on the host.
struct IdxArray {
  Shape shape;
  IdxType type = IdxType::UInt8;
  std::vector<std::byte> bytes;  ///< the elements in row-major order, in this machine's byte order
  std::string path;              ///< where it was read, for the messages of later checks

  /// The values as a tensor on the CPU: int32 for the four integer types, float32, float64.
  Tensor to_tensor(SourceLocation location = SourceLocation::current()) const;
  /// The values converted to `dtype` (any).
  Tensor to_tensor(DType dtype, SourceLocation location = SourceLocation::current()) const;
};

/// Reads an IDX file of at most kMaxDims dimensions. The sizes in the header are held against the size
/// of the file before memory is taken for them. Throws IoError naming the file, the offset (in the
/// uncompressed contents), what is there and what is allowed; OutOfMemoryError.
IdxArray read_idx(const std::string& path);

}  // namespace luge
