#pragma once
// Which points each set of a training is given, drawn on the device. Set i draws what set first_set + i of a larger
// batch draws. Everything can be captured; ops/draw.h says what a replay draws.
//
// Indices are int64 and pick with index_select(x, 0, indices.reshape({sets * n})).view({sets, n, ...}).

#include <cstdint>
#include <optional>

#include <luge/ops/draw.h>
#include <luge/tensor/tensor.h>

namespace luge::data {

/// Bootstrap samples (B. Efron 1979): for each set as many points as there are, drawn with replacement: indices of
/// shape (sets, points). Throws ValueError unless points and sets are 1 or more.
Tensor bootstrap(std::int64_t points, std::int64_t sets, const Draw& draw = {}, Device device = Device::cpu());

/// How often each set drew each point: what bootstrap() with the same seed draws, as weights of shape (sets, points)
/// and of a floating dtype that is no half. A fit takes them as deviations sigma / sqrt(weight). Throws as bootstrap()
/// does; DTypeError.
Tensor bootstrap_counts(std::int64_t points, std::int64_t sets, const Draw& draw = {}, TensorOptions options = {});

/// k-fold cross-validation: the points fall into k folds of equal size, or sizes that differ by one, at random, the
/// same for all sets. Returns for each set the mask of the points it is validated with, bool of shape (sets, points);
/// it is trained with the others. There are k sets, set i with fold i, unless `assignment` says each set's fold: int64
/// or int32 of shape (sets). Throws ValueError unless 2 <= k <= points; ShapeError, DTypeError; IndexError for a fold
/// outside [0, k) on the CPU at once, on a GPU at the next synchronisation.
Tensor folds(std::int64_t points, std::int64_t k, const Draw& draw = {}, const Tensor& assignment = {},
             Device device = Device::cpu());

/// A split of its own for each set: the mask of `held` points that it is validated with, bool of shape (sets, points).
/// Throws ValueError unless 1 <= held < points and sets is 1 or more.
Tensor split(std::int64_t points, std::int64_t held, std::int64_t sets, const Draw& draw = {},
             Device device = Device::cpu());

/// All points in an order of its own for each set, every order as likely: indices of shape (sets, points). Throws
/// ValueError unless points and sets are 1 or more.
Tensor shuffled(std::int64_t points, std::int64_t sets, const Draw& draw = {}, Device device = Device::cpu());

/// Mini-batch number `step` of orders of shape (sets, points), modulo points / batch: indices of shape (sets, batch).
/// Points that fill no batch are left out. Throws ValueError unless 1 <= batch <= points or for a negative step;
/// ShapeError, DTypeError, DeviceError.
Tensor minibatch(const Tensor& orders, std::int64_t batch, const DrawStep& step);

/// Mini-batch number draw.step: each set goes through all points, in an order of its own for each epoch; the points
/// that fill no batch are left out of an epoch. Indices of shape (sets, batch). It sorts (sets, points) numbers at each
/// call: a training in which that counts draws shuffled() orders once an epoch. Throws ValueError without a seed,
/// without which the batches of an epoch would not be of one order, unless 1 <= batch <= points, and unless sets is 1
/// or more.
Tensor minibatch(std::int64_t points, std::int64_t batch, std::int64_t sets, const Draw& draw,
                 Device device = Device::cpu());

}  // namespace luge::data
