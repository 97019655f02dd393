#pragma once
// Internal: what a tensor's elements are as bytes on the host, on their way into a file.

#include <cstddef>
#include <span>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// The bytes of a tensor in row-major order, piece by piece: all at once from the CPU, in parts from a GPU. A tensor
/// that is not contiguous is packed while it is read.
class HostBytes {
 public:
  explicit HostBytes(const Tensor& tensor);
  /// Stays until the next call; empty at the end.
  std::span<const std::byte> next();

 private:
  Tensor packed_;
  std::size_t bytes_ = 0, done_ = 0;
  std::vector<std::byte> staging_;
};

}  // namespace luge
