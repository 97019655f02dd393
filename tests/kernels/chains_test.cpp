// Our own matrix products, bit by bit: what each element of c is does not depend on how tiles, packing, orientation and
// instruction sets compute it.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "every_target.h"
#include "kernels/cpu/matmul/chains.h"

namespace luge::test {
namespace {

/// A matrix with room around it, filled with NaN where it has no elements.
template <class T>
struct Laid {
  std::vector<T> memory;
  cpu::Matrix<T> matrix;

  Laid(std::int64_t rows, std::int64_t columns, std::int64_t row, std::int64_t column)
      : memory(static_cast<std::size_t>((rows - 1) * row + (columns - 1) * column + 1 + 2 * kRoom),
               std::numeric_limits<T>::quiet_NaN()),
        matrix{memory.data() + kRoom, row, column} {}

  T& at(std::int64_t i, std::int64_t j) { return matrix.data[i * matrix.row + j * matrix.column]; }
  static constexpr std::int64_t kRoom = 21;  // no multiple of a vector: nothing is aligned
};

enum class Placement { Rows, Columns, Apart };

template <class T>
Laid<T> laid(Placement order, std::int64_t rows, std::int64_t columns) {
  if (order == Placement::Rows) return {rows, columns, columns + 1, 1};
  if (order == Placement::Columns) return {rows, columns, 1, rows + 2};
  return {rows, columns, 2 * columns + 3, 2};
}

/// What a product is added to in place of c.
enum class Bias { None, Row, Column };

struct ChainCase {
  std::int64_t m, n, k;
  Placement a = Placement::Rows, b = Placement::Rows, c = Placement::Rows;
  bool accumulate = false, has_specials = false;
  Bias bias = Bias::None;
  cpu::Epilogue epilogue = cpu::Epilogue::None;
};

template <class T>
void expect_chains(const ChainCase& x, const char* target) {
  std::mt19937 engine(static_cast<unsigned>(x.m * 131 + x.n * 17 + x.k));
  std::uniform_real_distribution<T> uniform(-1, 1);
  Laid<T> a = laid<T>(x.a, x.m, x.k), b = laid<T>(x.b, x.k, x.n), c = laid<T>(x.c, x.m, x.n);
  Laid<T> y(x.m, x.n, x.c == Placement::Columns ? 1 : x.n + 5, x.c == Placement::Columns ? x.m + 5 : 1);
  for (std::int64_t i = 0; i < x.m; ++i)
    for (std::int64_t q = 0; q < x.k; ++q) a.at(i, q) = uniform(engine);
  for (std::int64_t q = 0; q < x.k; ++q)
    for (std::int64_t j = 0; j < x.n; ++j) b.at(q, j) = uniform(engine);
  if (x.has_specials) {
    a.at(0, 0) = std::numeric_limits<T>::infinity();
    a.at(x.m - 1, x.k / 2) = std::numeric_limits<T>::quiet_NaN();
    b.at(x.k - 1, x.n - 1) = -std::numeric_limits<T>::infinity();
    b.at(x.k - 1, 0) = std::numeric_limits<T>::denorm_min();
  }
  std::vector<T> bias(static_cast<std::size_t>(std::max(x.m, x.n))), expected;
  for (T& element : bias) element = uniform(engine);
  for (std::int64_t i = 0; i < x.m; ++i)
    for (std::int64_t j = 0; j < x.n; ++j) {
      if (x.accumulate) c.at(i, j) = uniform(engine);
      T sum = 0;
      for (std::int64_t q = 0; q < x.k; ++q) sum = std::fma(a.at(i, q), b.at(q, j), sum);
      if (x.accumulate) sum = c.at(i, j) + sum;
      if (x.bias != Bias::None) sum = bias[static_cast<std::size_t>(x.bias == Bias::Row ? j : i)] + sum;
      if (x.epilogue == cpu::Epilogue::Relu) sum = sum < 0 ? 0 : sum;  // NaN stays
      if (x.epilogue == cpu::Epilogue::ReluBackward) {
        y.at(i, j) = std::max(uniform(engine), T(0));
        sum = y.at(i, j) <= 0 ? 0 : sum;
      }
      expected.push_back(sum);
    }
  const std::vector<T> before = c.memory;
  const auto read = [](const cpu::Matrix<T>& m) { return cpu::Matrix<const T>{m.data, m.row, m.column}; };
  cpu::Matrix<const T> onto{};
  if (x.accumulate) onto = read(c.matrix);
  if (x.bias == Bias::Row) onto = {bias.data(), 0, 1};
  if (x.bias == Bias::Column) onto = {bias.data(), 1, 0};
  const cpu::Product<T> product{x.m, x.n, x.k, read(a.matrix), read(b.matrix), c.matrix, onto, x.epilogue, read(y.matrix)};
  std::vector<T> working(static_cast<std::size_t>(cpu::chain_working(product)));
  cpu::chain_product(product, working.data());
  std::size_t at = 0;
  for (std::int64_t i = 0; i < x.m; ++i)
    for (std::int64_t j = 0; j < x.n; ++j, ++at) {
      const T found = c.at(i, j);
      const bool same = std::isnan(expected[at]) ? std::isnan(found)
                                                 : std::memcmp(&found, &expected[at], sizeof found) == 0;
      ASSERT_TRUE(same) << target << ": (" << x.m << " x " << x.k << ")(" << x.k << " x " << x.n << ") at " << i << ", "
                        << j << ": " << found << " instead of " << expected[at];
    }
  // Nothing else was written: with c's elements put back, its memory is as it was.
  for (std::int64_t i = 0; i < x.m; ++i)
    for (std::int64_t j = 0; j < x.n; ++j)
      c.at(i, j) = before[static_cast<std::size_t>(&c.at(i, j) - c.memory.data())];
  ASSERT_EQ(std::memcmp(c.memory.data(), before.data(), before.size() * sizeof(T)), 0) << target;
}

void expect_chains_of_both(const ChainCase& x, const char* target) {
  expect_chains<float>(x, target);
  expect_chains<double>(x, target);
}

TEST(Chains, EdgesOfTilesInEveryDimension) {
  for_every_target([](const char* target) {
    for (const std::int64_t s : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257}) {
      for (const ChainCase& x : {ChainCase{s, 17, 5}, ChainCase{s, 1, 20}, ChainCase{13, s, 9}, ChainCase{1, s, 33},
                                 ChainCase{7, 70, s}, ChainCase{3, 1, s}}) {
        expect_chains_of_both(x, target);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  });
}

TEST(Chains, EveryOrderOfEveryOperand) {
  for_every_target([](const char* target) {
    for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{3, 4, 5}, {1, 90, 37}, {90, 1, 37}, {29, 67, 41}, {1, 1, 50}})
      for (const Placement a : {Placement::Rows, Placement::Columns, Placement::Apart})
        for (const Placement b : {Placement::Rows, Placement::Columns, Placement::Apart})
          for (const Placement c : {Placement::Rows, Placement::Columns})
            for (const bool accumulate : {false, true}) {
              expect_chains_of_both({m, n, k, a, b, c, accumulate}, target);
              if (::testing::Test::HasFatalFailure()) return;
            }
  });
}

/// A layer's bias: the same row for all, or the same column where the product is turned round.
TEST(Chains, OntoARowOrAColumnThatRepeats) {
  for_every_target([](const char* target) {
    for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{3, 4, 5}, {1, 90, 37}, {90, 1, 37}, {29, 67, 41}, {1, 1, 50}})
      for (const Placement c : {Placement::Rows, Placement::Columns})
        for (const Bias bias : {Bias::Row, Bias::Column}) {
          expect_chains_of_both({.m = m, .n = n, .k = k, .c = c, .bias = bias}, target);
          if (::testing::Test::HasFatalFailure()) return;
        }
  });
}

TEST(Chains, RelusAndTheirGradients) {
  for_every_target([](const char* target) {
    for (const cpu::Epilogue epilogue : {cpu::Epilogue::Relu, cpu::Epilogue::ReluBackward})
      for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{3, 4, 5}, {1, 90, 37}, {90, 1, 37}, {29, 67, 41}, {33, 64, 1}})
        for (const Placement c : {Placement::Rows, Placement::Columns})
          for (const bool has_specials : {false, true}) {
            expect_chains_of_both({.m = m, .n = n, .k = k, .c = c, .has_specials = has_specials, .epilogue = epilogue}, target);
            expect_chains_of_both({.m = m, .n = n, .k = k, .c = c, .bias = Bias::Row, .epilogue = epilogue}, target);
            expect_chains_of_both({.m = m, .n = n, .k = k, .c = c, .accumulate = true, .epilogue = epilogue}, target);
            if (::testing::Test::HasFatalFailure()) return;
          }
  });
}

/// Columns of b are packed a vector of them at a time, in squares, then in blocks, then one by one.
TEST(Chains, EdgesOfPackedColumns) {
  for_every_target([](const char* target) {
    for (const std::int64_t n : {1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 20, 47, 63, 64, 65})
      for (const std::int64_t k : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 22, 31, 33, 48}) {
        expect_chains_of_both({.m = 35, .n = n, .k = k, .b = Placement::Columns}, target);
        if (::testing::Test::HasFatalFailure()) return;
      }
  });
}

TEST(Chains, InfinitiesAndNaNsStayInTheirRowsAndColumns) {
  for_every_target([](const char* target) {
    for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{5, 19, 4}, {1, 40, 6}, {40, 1, 6}, {20, 64, 33}})
      for (const Placement b : {Placement::Rows, Placement::Columns}) {
        expect_chains_of_both({.m = m, .n = n, .k = k, .b = b, .has_specials = true}, target);
        if (::testing::Test::HasFatalFailure()) return;
      }
  });
}

}  // namespace
}  // namespace luge::test
