#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <luge/train/parameters.h>

namespace luge::nn {

/// Rows of a table, by index (int32 or int64). `op` is for errors.
///   weight (count, dim):        index (...) -> (..., dim)
///   weight (sets, count, dim):  index (batch), the same for all sets, or (sets, ...) -> (sets, ..., dim)
/// Throws IndexError for a value outside [0, count), DTypeError, ShapeError.
Tensor embedding(const Tensor& index, const Tensor& weight, std::string_view op = "embedding");

/// A table of `count` vectors of `dim` numbers, "name.weight" in the arena.
///   ordinary Parameters   weight (count, dim):        index (...) -> (..., dim)
///   Parameters with sets  weight (sets, count, dim):  index (batch), the same for all sets, or
///                                                     (sets, ...) -> (sets, ..., dim)
class Embedding {
 public:
  /// `init` absent: standard normal, PyTorch's default. The row `padding_idx`, which may count from the end, starts as zeros
  /// and gets no gradient. Throws ValueError for one outside, sizes below 1 and a name in use; then nothing has been added.
  Embedding(Parameters& params, std::string_view name, std::int64_t count, std::int64_t dim,
            std::optional<Init> init = {}, std::optional<std::int64_t> padding_idx = {});

  /// A layer on parameters that are there already, "name.weight": on those of other sets, for instance (stop::Live).
  /// Throws ValueError where there are none, ShapeError for shapes that no Embedding has.
  static Embedding on(const Parameters& params, std::string_view name);

  /// index is int32 or int64 (DTypeError otherwise); IndexError for a value outside [0, count), ShapeError
  /// naming the layer.
  Tensor operator()(const Tensor& index) const;

  const Tensor& weight() const { return weight_; }

 private:
  explicit Embedding(std::string_view name) : name_(name) {}

  std::string name_;
  Tensor weight_;
  std::optional<std::int64_t> padding_;  ///< counted from the front
};

}  // namespace luge::nn
