#include <luge/capture/detail/overlap.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace luge {

namespace {

/// A multiple of `stride`, from `low` to `high` times.
struct Steps {
  std::int64_t stride, low, high;
};

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Looks for a sum of steps strictly between two bounds, the longest strides first: what the shorter ones reach leaves few
/// choices for each.
class Search {
 public:
  void add(const Tensor& tensor, std::int64_t sign) {
    for (int d = 0; d < tensor.shape().ndim(); ++d) {
      std::int64_t stride = sign * tensor.strides()[d] * static_cast<std::int64_t>(size_of(tensor.dtype()));
      std::int64_t low = 0, high = tensor.shape()[d] - 1;
      if (stride == 0 || high == 0) continue;
      if (stride < 0) {
        stride = -stride;
        low = -high;
        high = 0;
      }
      const auto same = std::find_if(all_.begin(), all_.end(), [&](const Steps& one) { return one.stride == stride; });
      if (same == all_.end()) {
        all_.push_back({stride, low, high});
      } else {
        same->low += low;
        same->high += high;
      }
    }
  }

  bool finds(std::int64_t from, std::int64_t above, std::int64_t below) {
    std::sort(all_.begin(), all_.end(), [](const Steps& a, const Steps& b) { return a.stride > b.stride; });
    return finds(0, from, above, below);
  }

 private:
  static constexpr int kMost = 10000;

  bool finds(std::size_t first, std::int64_t from, std::int64_t above, std::int64_t below) {
    if (--left_ < 0) return true;
    if (first == all_.size()) return above < from && from < below;
    std::int64_t down = 0, up = 0;
    for (std::size_t i = first + 1; i < all_.size(); ++i) {
      down += all_[i].stride * all_[i].low;
      up += all_[i].stride * all_[i].high;
    }
    const Steps& steps = all_[first];
    const std::int64_t least = floor_div(above - from - up, steps.stride) + 1;
    const std::int64_t most = floor_div(below - 1 - from - down, steps.stride);
    for (std::int64_t n = std::max(least, steps.low); n <= std::min(most, steps.high); ++n)
      if (finds(first + 1, from + n * steps.stride, above, below)) return true;
    return false;
  }

  std::vector<Steps> all_;
  int left_ = kMost;
};

}  // namespace

Range range_of(const Tensor& tensor) {
  const auto data = reinterpret_cast<std::intptr_t>(tensor.data());
  if (tensor.numel() == 0) return {data, data};
  const auto size = static_cast<std::int64_t>(size_of(tensor.dtype()));
  Range range{data, data + size};
  for (int d = 0; d < tensor.shape().ndim(); ++d) {
    const std::int64_t reach = (tensor.shape()[d] - 1) * tensor.strides()[d] * size;
    (reach < 0 ? range.low : range.high) += reach;
  }
  return range;
}

bool share_elements(const Tensor& a, const Tensor& b) {
  if (a.numel() == 0 || b.numel() == 0 || a.device() != b.device() || !range_of(a).overlaps(range_of(b))) return false;
  Search search;
  search.add(a, -1);
  search.add(b, 1);
  const auto apart = reinterpret_cast<std::intptr_t>(b.data()) - reinterpret_cast<std::intptr_t>(a.data());
  return search.finds(apart, -static_cast<std::int64_t>(size_of(b.dtype())), static_cast<std::int64_t>(size_of(a.dtype())));
}

}  // namespace luge
