#include <luge/io/detail/host_bytes.h>

#include <algorithm>

#include <luge/seam/backend.h>

namespace luge {

namespace {

/// What comes from a GPU at a time.
constexpr std::size_t kPiece = std::size_t{4} << 20;

}  // namespace

HostBytes::HostBytes(const Tensor& tensor)
    : packed_(tensor.detach().contiguous()),
      bytes_(static_cast<std::size_t>(packed_.numel()) * size_of(packed_.dtype())) {}

std::span<const std::byte> HostBytes::next() {
  if (done_ == bytes_) {
    packed_ = {};  // whoever holds many of these needs the memory of one at a time
    staging_ = {};
    return {};
  }
  const auto* const data = static_cast<const std::byte*>(packed_.data()) + done_;
  Backend& backend = packed_.storage()->backend();
  if (packed_.device().is_cpu()) {
    backend.synchronize();
    done_ = bytes_;
    return {data, bytes_};
  }
  staging_.resize(std::min(bytes_ - done_, kPiece));
  backend.copy_to_host(staging_.data(), data, staging_.size());
  done_ += staging_.size();
  return staging_;
}

}  // namespace luge
