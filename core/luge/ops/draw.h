#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include <luge/tensor/tensor.h>

namespace luge {

/// Which draw of a seed: a number, or an int64 tensor of shape () that is looked at on its device.
class DrawStep {
 public:
  DrawStep(std::int64_t number) : number_(number) {}  // NOLINT(google-explicit-constructor): {.seed = 1, .step = 3}
  DrawStep(Tensor tensor) : tensor_(std::move(tensor)) {}  // NOLINT(google-explicit-constructor)
  bool is_tensor() const { return tensor_.defined(); }
  std::int64_t number() const { return number_; }
  const Tensor& tensor() const { return tensor_; }

 private:
  std::int64_t number_ = 0;
  Tensor tensor_;
};

/// What the random numbers of sets are keyed by. Set i takes the numbers that set first_set + i of a larger batch
/// takes, on every device.
///
/// Without a seed they are the next ones of the global generator, as those of rand(): every call draws others, and so
/// does every replay of a captured step. With a seed they depend on seed and step alone: a captured step that is to
/// draw others at each replay counts its replays in a tensor.
struct Draw {
  std::optional<std::uint64_t> seed = {};
  /// From 0 to 2^40 - 1; 0 without a seed.
  DrawStep step = 0;
  std::int64_t first_set = 0;
};

}  // namespace luge
