// Points that sets are given: bootstraps, folds, splits, mini-batches; a set alone and in a batch, eager and captured.

#include <luge/data/sampling.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "capture/trainings.h"
#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class SamplingTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(SamplingTest);

std::vector<std::vector<std::int64_t>> rows_of(const Tensor& x) {
  const std::vector<std::int64_t> all = x.to_vector<std::int64_t>();
  std::vector<std::vector<std::int64_t>> rows;
  for (std::int64_t row = 0; row < x.size(0); ++row)
    rows.emplace_back(all.begin() + row * x.size(1), all.begin() + (row + 1) * x.size(1));
  return rows;
}

bool is_permutation_of(std::vector<std::int64_t> row, std::int64_t n) {
  std::sort(row.begin(), row.end());
  std::vector<std::int64_t> whole(static_cast<std::size_t>(n));
  std::iota(whole.begin(), whole.end(), 0);
  return row == whole;
}

TEST_P(SamplingTest, BootstrapsDrawWithReplacement) {
  constexpr std::int64_t kPoints = 200, kSets = 300;
  const Tensor sample = data::bootstrap(kPoints, kSets, {.seed = 1}, device());
  EXPECT_EQ(sample.shape(), (Shape{kSets, kPoints}));
  EXPECT_EQ(sample.dtype(), DType::Int64);
  double distinct = 0;
  std::vector<double> counts(kPoints);
  for (const auto& row : rows_of(sample)) {
    distinct += static_cast<double>(std::set<std::int64_t>(row.begin(), row.end()).size());
    for (const std::int64_t point : row) {
      ASSERT_GE(point, 0);
      ASSERT_LT(point, kPoints);
      ++counts[static_cast<std::size_t>(point)];
    }
  }
  // The number of distinct points of n draws among n has mean n (1 - q) and variance n q + n (n - 1) r - n^2 q^2, with
  // q = (1 - 1/n)^n and r = (1 - 2/n)^n.
  const double n = kPoints, q = std::pow(1 - 1 / n, n), r = std::pow(1 - 2 / n, n);
  const double variance = n * q + n * (n - 1) * r - n * n * q * q;
  EXPECT_NEAR(distinct / kSets, n * (1 - q), 5 * std::sqrt(variance / kSets));
  EXPECT_NEAR(distinct / kSets / n, 1 - std::exp(-1), 0.01);
  // Pearson's statistic of how often each point was drawn: chi square with n - 1 degrees of freedom.
  double chi = 0;
  for (const double count : counts) chi += (count - kSets) * (count - kSets) / kSets;
  EXPECT_NEAR(chi, n - 1, 5 * std::sqrt(2 * (n - 1)));
}

TEST_P(SamplingTest, CountsAreThoseOfTheIndices) {
  for (const DType dtype : {float32, float64}) {
    const Draw draw{.seed = 4, .step = 2, .first_set = 3};
    const Tensor sample = data::bootstrap(17, 5, draw, device()),
                 counts = data::bootstrap_counts(17, 5, draw, on(dtype));
    std::vector<double> expected(17 * 5);
    const auto rows = rows_of(sample);
    for (std::size_t set = 0; set < 5; ++set)
      for (const std::int64_t point : rows[set]) ++expected[set * 17 + static_cast<std::size_t>(point)];
    EXPECT_TRUE(has_values(counts, {5, 17}, dtype, expected));
  }
}

TEST_P(SamplingTest, EveryPointIsInOneFold) {
  for (const auto& [points, k] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{10, 2}, {10, 3}, {7, 7}, {1001, 10}}) {
    const Tensor masks = data::folds(points, k, {.seed = 2}, {}, device());
    EXPECT_EQ(masks.shape(), (Shape{k, points}));
    EXPECT_EQ(masks.dtype(), DType::Bool);
    const auto rows = rows_of(masks.to(DType::Int64));
    for (std::size_t point = 0; point < static_cast<std::size_t>(points); ++point)
      EXPECT_EQ(std::accumulate(rows.begin(), rows.end(), std::int64_t{0},
                                [&](std::int64_t sum, const auto& row) { return sum + row[point]; }),
                1);
    for (const auto& row : rows) {
      const std::int64_t size = std::accumulate(row.begin(), row.end(), std::int64_t{0});
      EXPECT_TRUE(size == points / k || size == (points + k - 1) / k) << size;
    }
    const Tensor assigned = from_host(std::vector<std::int64_t>{1, 0, 1}, {3}, device());
    const Tensor some = data::folds(points, k, {.seed = 2}, assigned, device());
    EXPECT_TRUE(same(some, index_select(masks, 0, assigned)));
    if (points > 100) {
      EXPECT_FALSE(same(masks, data::folds(points, k, {.seed = 3}, {}, device())));
    }
  }
}

TEST_P(SamplingTest, SplitsAreOfTheSizeAskedFor) {
  constexpr std::int64_t kSets = 2000;
  const Tensor masks = data::split(20, 5, kSets, {.seed = 6}, device());
  std::vector<double> held(20);
  for (const auto& row : rows_of(masks.to(DType::Int64))) {
    EXPECT_EQ(std::accumulate(row.begin(), row.end(), std::int64_t{0}), 5);
    for (std::size_t point = 0; point < 20; ++point) held[point] += static_cast<double>(row[point]);
  }
  for (const double count : held) EXPECT_NEAR(count, kSets / 4.0, 5 * std::sqrt(kSets * 3 / 16.0));
}

TEST_P(SamplingTest, EveryOrderIsAsLikely) {
  constexpr std::int64_t kSets = 12000;
  std::vector<double> counts(24);
  for (const auto& row : rows_of(data::shuffled(4, kSets, {.seed = 9}, device()))) {
    ASSERT_TRUE(is_permutation_of(row, 4));
    std::vector<std::int64_t> order{0, 1, 2, 3};
    std::size_t number = 0;
    while (order != row) std::next_permutation(order.begin(), order.end()), ++number;
    ++counts[number];
  }
  double chi = 0;
  for (const double count : counts) chi += (count - 500) * (count - 500) / 500;
  EXPECT_NEAR(chi, 23, 5 * std::sqrt(2 * 23.0));
}

TEST_P(SamplingTest, MinibatchesGoThroughAllPoints) {
  for (const auto& [points, batch] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{12, 3}, {12, 12}, {11, 4}, {5, 1}}) {
    const std::int64_t per_epoch = points / batch;
    std::vector<std::vector<std::int64_t>> first_epoch;
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
      const Tensor orders = data::shuffled(points, 6, {.seed = 3, .step = epoch}, device());
      std::vector<std::vector<std::int64_t>> seen(6);
      for (std::int64_t i = 0; i < per_epoch; ++i) {
        const std::int64_t step = epoch * per_epoch + i;
        const Tensor number = scalar(step, on(DType::Int64));
        const Tensor picked = data::minibatch(points, batch, 6, {.seed = 3, .step = step}, device());
        EXPECT_EQ(picked.shape(), (Shape{6, batch}));
        EXPECT_TRUE(same(data::minibatch(points, batch, 6, {.seed = 3, .step = number}, device()), picked));
        EXPECT_TRUE(same(data::minibatch(orders, batch, step), picked));
        EXPECT_TRUE(same(data::minibatch(orders, batch, number), picked));
        const auto rows = rows_of(picked);
        for (std::size_t set = 0; set < 6; ++set) seen[set].insert(seen[set].end(), rows[set].begin(), rows[set].end());
      }
      for (auto& points_of : seen) {
        EXPECT_EQ(static_cast<std::int64_t>(points_of.size()), per_epoch * batch);
        EXPECT_EQ(std::set<std::int64_t>(points_of.begin(), points_of.end()).size(), points_of.size());
        if (points % batch == 0) {
          EXPECT_TRUE(is_permutation_of(points_of, points));
        }
      }
      if (points > 10) {
        EXPECT_NE(seen[0], seen[1]);
      }
      if (epoch == 0) first_epoch = seen;
      if (epoch > 0 && points > 10) {
        EXPECT_NE(seen, first_epoch);
      }
    }
  }
}

TEST_P(SamplingTest, ASetAloneDrawsAsInABatch) {
  using Sample = std::function<Tensor(std::int64_t sets, const Draw& draw)>;
  const Tensor step = scalar(7, on(DType::Int64));
  for (const Sample& sample : std::vector<Sample>{
           [&](auto sets, const Draw&draw) { return data::bootstrap(9, sets, draw, device()); },
           [&](auto sets, const Draw&draw) { return data::bootstrap_counts(9, sets, draw, on()); },
           [&](auto sets, const Draw&draw) { return data::split(9, 4, sets, draw, device()); },
           [&](auto sets, const Draw&draw) { return data::shuffled(9, sets, draw, device()); },
           [&](auto sets, const Draw&draw) {
             return data::minibatch(9, 2, sets, {.seed = 1, .step = step, .first_set = draw.first_set}, device());
           }})
    for (const bool seeded : {true, false}) {
      const auto drawn = [&](std::int64_t sets, std::int64_t first) {
        manual_seed(5);
        return sample(sets, seeded ? Draw{.seed = 2, .step = step, .first_set = first} : Draw{.first_set = first});
      };
      const Tensor all = drawn(8, 0);
      for (const std::int64_t set : {0, 3, 7}) EXPECT_TRUE(same(drawn(1, set)[0], all[set]));
    }
}

TEST_P(SamplingTest, ReplaysDrawAsCallsDo) {
  const Tensor x = rand({30}, on());
  Tensor count = zeros({}, on(DType::Int64));
  for (const bool counted : {false, true}) {
    std::vector<std::vector<double>> results;
    for (const bool captured : {false, true}) {
      manual_seed(21);
      count.zero_();
      results.push_back(train(captured, 6, [&] {
        const Draw draw = counted ? Draw{.seed = 2, .step = count} : Draw{};
        const Tensor sample = data::bootstrap(30, 4, draw, device()), orders = data::shuffled(30, 4, draw, device());
        const Tensor batch = data::minibatch(30, 10, 4, {.seed = 2, .step = count}, device());
        const Tensor weights = data::bootstrap_counts(30, 4, draw, on());
        const Tensor held = data::split(30, 7, 4, draw, device());
        count.add_(1);
        return cat({index_select(x, 0, sample.reshape({120})), index_select(x, 0, orders.reshape({120})),
                    index_select(x, 0, batch.reshape({40})), weights.reshape({120}), held.to(float32).reshape({120})});
      }));
    }
    EXPECT_EQ(results[0], results[1]);
    const std::size_t size = results[0].size() / 6;
    for (std::size_t i = 1; i < 6; ++i)
      EXPECT_FALSE(std::equal(results[0].begin(), results[0].begin() + static_cast<std::ptrdiff_t>(size),
                              results[0].begin() + static_cast<std::ptrdiff_t>(i * size)));
  }
}

TEST_P(SamplingTest, BadArguments) {
  const Tensor orders = data::shuffled(6, 2, {.seed = 1}, device());
  expect_errors({
      LUGE_ERROR(ValueError, "bootstrap: points is 0; it must be 1 or more", data::bootstrap(0, 1)),
      LUGE_ERROR(ValueError, "bootstrap: sets is -1; it must be 1 or more", data::bootstrap(1, -1)),
      LUGE_ERROR(DTypeError, "bootstrap_counts: dtype is int64; allowed are float32 and float64",
                 data::bootstrap_counts(3, 1, {}, on(DType::Int64))),
      LUGE_ERROR(ValueError, "bootstrap_counts: sets is 0", data::bootstrap_counts(3, 0)),
      LUGE_ERROR(ValueError, "folds: k is 1; allowed are 2 to 5, the points", data::folds(5, 1)),
      LUGE_ERROR(ValueError, "folds: k is 6; allowed are 2 to 5", data::folds(5, 6)),
      LUGE_ERROR(ValueError, "folds: first_set is 2; the folds are the same for all sets",
                 data::folds(5, 2, {.first_set = 2})),
      LUGE_ERROR(ShapeError, "folds: assignment has shape \\(\\); it must be \\(sets,\\)",
                 data::folds(5, 2, {}, scalar(1, on(DType::Int64)), device())),
      LUGE_ERROR(DTypeError, "folds: the index is float32", data::folds(5, 2, {}, ones({2}, on()), device())),
      LUGE_ERROR(ValueError, "split: held is 5; allowed are 1 to 4, fewer than the points", data::split(5, 5, 1)),
      LUGE_ERROR(ValueError, "split: held is 0", data::split(5, 0, 1)),
      LUGE_ERROR(ValueError, "shuffled: points is 0", data::shuffled(0, 1)),
      LUGE_ERROR(ValueError, "minibatch: batch is 7; allowed are 1 to 6, the points", data::minibatch(orders, 7, 0)),
      LUGE_ERROR(ValueError, "minibatch: batch is 0", data::minibatch(6, 0, 2, {.seed = 1})),
      LUGE_ERROR(ValueError, "minibatch: step is -1; it must be 0 or more", data::minibatch(orders, 2, -1)),
      LUGE_ERROR(ValueError, "minibatch: step is -1; it must be 0 or more",
                 data::minibatch(6, 2, 2, {.seed = 1, .step = -1})),
      LUGE_ERROR(ValueError, "minibatch: there is no seed", data::minibatch(6, 2, 2, {})),
      LUGE_ERROR(ShapeError, "minibatch: orders have shape \\(6,\\); it must be \\(sets, points\\)",
                 data::minibatch(orders[0], 2, 0)),
      LUGE_ERROR(DTypeError, "minibatch: orders are float32; they must be int64",
                 data::minibatch(orders.to(float32), 2, 0)),
      LUGE_ERROR(DTypeError, "minibatch: step is int32; it must be int64",
                 data::minibatch(orders, 2, scalar(1, on(DType::Int32)))),
      LUGE_ERROR(ShapeError, "minibatch: step has shape \\(2,\\); it must be one number",
                 data::minibatch(orders, 2, zeros({2}, on(DType::Int64)))),
  });
  if (device().is_cpu()) {
    expect_errors({
        LUGE_ERROR(IndexError, "folds: index 2 at position 0 is out of range; allowed are 0 to 1",
                   data::folds(5, 2, {}, scalar(2, on(DType::Int64)).reshape({1}))),
        LUGE_ERROR(IndexError, "minibatch: index -1 at position 0",
                   data::minibatch(orders, 2, scalar(-1, on(DType::Int64)))),
    });
  }
}

}  // namespace
}  // namespace luge::test
