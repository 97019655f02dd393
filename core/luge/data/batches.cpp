#include <luge/data/batches.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include <luge/base/detail/check.h>
#include <luge/math/random.h>
#include <luge/ops/create.h>
#include <luge/ops/index.h>

namespace luge {
namespace {

/// 0 ... n - 1 by Fisher and Yates, drawn by Philox keyed by seed and epoch.
std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i) {
    const auto j = math::scalar::uniform_integer(math::scalar::random_word(seed, epoch, 0, i), i);
    std::swap(order[i - 1], order[static_cast<std::size_t>(j)]);
  }
  return order;
}

}  // namespace

Batches::Batches(const LabelledImages& samples, BatchesOptions options) : options_(options), count_(samples.count()) {
  LUGE_CHECK(ShapeError, samples.images.ndim() >= 1 && samples.images.size(0) == count_,
             "batches: images are {}, labels are {}; the first sizes must be equal", to_string(samples.images.shape()),
             to_string(samples.labels.shape()));
  LUGE_CHECK(ValueError, options.batch >= 1 && options.batch <= count_,
             "batches: batch is {}; allowed are 1 to {}, the number of samples", options.batch, count_);
  images_ = samples.images.reshape({count_, samples.images.numel() / count_}).to(options.device);
  labels_ = samples.labels.to(options.device);
}

Batches::Epoch Batches::epoch(std::int64_t number, SourceLocation location) const {
  if (!options_.shuffle) return {*this, Tensor()};
  refuse_capture("epoch", kHostWrite, location);
  const std::vector<std::int64_t> order = permutation(count_, options_.seed, static_cast<std::uint64_t>(number));
  return {*this, from_host(order, {count_}, options_.device)};
}

Batch Batches::Epoch::operator[](std::int64_t index) const {
  LUGE_CHECK(IndexError, index >= 0 && index < batches_.size(),
             "batches: index {} is out of range; allowed are 0 to {}", index, batches_.size() - 1);
  const std::int64_t start = index * batches_.options_.batch;
  const std::int64_t stop = std::min(start + batches_.options_.batch, batches_.count_);
  if (!order_.defined()) return {batches_.images_.slice(0, start, stop), batches_.labels_.slice(0, start, stop)};
  const Tensor picked = order_.slice(0, start, stop);
  return {index_select(batches_.images_, 0, picked), index_select(batches_.labels_, 0, picked)};
}

Batch BatchStream::next(SourceLocation location) {
  if (!current_) current_.emplace(batches_.epoch(epoch_, location));
  Batch batch = (*current_)[index_];
  if (++index_ == batches_.size()) seek(epoch_ + 1);
  return batch;
}

void BatchStream::seek(std::int64_t epoch, std::int64_t index) {
  LUGE_CHECK(ValueError, epoch >= 0 && index >= 0 && index < batches_.size(),
             "seek: epoch {} and index {} given; allowed are 0 or more, and 0 to {}", epoch, index,
             batches_.size() - 1);
  if (epoch != epoch_) current_.reset();
  epoch_ = epoch;
  index_ = index;
}

}  // namespace luge
