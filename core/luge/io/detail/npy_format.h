#pragma once
// Internal: NumPy's npy format, as a file of its own (npy.cpp) or as a member of an archive (npz.cpp). The bytes come
// and go one after the other, because a member is compressed.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include <luge/io/detail/host_bytes.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// What errors begin with: "load_npz: 'a.npz': member 'x.npy'".
struct NpyPlace {
  const char* op;
  std::string file;
};

/// What stands before the numbers.
struct NpyHeader {
  DType dtype = DType::Float32;
  bool swapped = false;        ///< the bytes of a number are in the order that is not this machine's
  bool fortran_order = false;  ///< the first index runs fastest
  Shape shape;
  std::uint64_t data = 0;  ///< offset of the numbers
  std::int64_t bytes = 0;  ///< of all numbers
};

/// Brings the bytes that come next, exactly so many, or throws.
using ReadNext = std::function<void(void* destination, std::size_t bytes)>;

/// Reads the header of a file of `size` bytes and holds it to that size. Takes at most 10,000 bytes of memory.
NpyHeader read_npy_header(const NpyPlace& place, std::uint64_t size, const ReadNext& read);

/// Reads the numbers. In Fortran order they keep it: the tensor's strides say so, as NumPy's.
Tensor read_npy_values(const NpyHeader& header, const ReadNext& read, Device device);

/// A tensor that is contiguous in the order of the file, seen in the order of its dimensions.
Tensor as_in_header(const NpyHeader& header, const Tensor& stored);
/// The sizes of that tensor.
Shape stored_shape(const NpyHeader& header);

/// The npy file of a tensor, piece by piece. What np.save writes for the same array, byte by byte.
class NpyPieces {
 public:
  /// `argument` names the tensor in errors. Throws DTypeError for bfloat16.
  NpyPieces(const char* op, const std::string& argument, const Tensor& tensor);
  /// Bytes of the whole file.
  std::uint64_t size() const { return header_.size() + bytes_; }
  /// From the beginning. Must come first.
  void begin();
  /// Stays until the next call; empty at the end. A tensor whose elements do not lie in one of both orders is packed
  /// meanwhile; one of a GPU comes to the host in parts.
  std::span<const std::byte> next();

 private:
  Tensor tensor_;
  std::string header_;
  std::size_t bytes_ = 0;
  bool header_done_ = false;
  std::optional<HostBytes> values_;
};

}  // namespace luge
