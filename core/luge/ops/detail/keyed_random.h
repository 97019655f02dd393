#pragma once
// Internal: random numbers of sets, keyed by a Draw.

#include <cstdint>

#include <luge/ops/draw.h>

namespace luge {

/// What numbers are for: draws of one seed for different purposes have nothing in common.
struct Purpose {
  enum Kind : std::uint32_t { Perturb = 1, Resample, Pairing, Bootstrap, Folds, Split, Order, Dropout };

  Purpose(Kind of, std::uint32_t number = 0) : kind(of), index(number) {}  // NOLINT(google-explicit-constructor)
  Kind kind;
  std::uint32_t index;  ///< of several draws for one purpose
};

/// Uniform in [low, high), of `shape`, whose first size is the number of sets. Floating dtypes. Throws ValueError for a
/// negative first_set or a step out of range, DTypeError, ShapeError or DeviceError for a step that is another tensor.
Tensor keyed_uniform(const char* op, const Shape& shape, double low, double high, const Draw& draw, Purpose purpose,
                     TensorOptions options);
/// Normal, likewise.
Tensor keyed_normal(const char* op, const Shape& shape, double mean, double deviation, const Draw& draw,
                    Purpose purpose, TensorOptions options);
/// Int64 in [0, count), likewise.
Tensor keyed_integers(const char* op, const Shape& shape, std::int64_t count, const Draw& draw, Purpose purpose,
                      Device device);

}  // namespace luge
