// Rows in order, against std::stable_sort.

#include <algorithm>
#include <numeric>

#include <luge/base/threads.h>

#include "backend_fixture.h"

namespace luge::test {
namespace {

/// What a row is made of.
enum class Elements { Any, Few, Special, Equal };

template <class T>
T element(Chooser& choose, Elements kind) {
  constexpr bool kFloating = std::is_floating_point_v<T>;
  using Limits = std::numeric_limits<T>;
  if (kind == Elements::Equal) return T(1);
  if constexpr (std::is_same_v<T, bool>) {
    return choose.chance(0.5);
  } else if (kind == Elements::Few) {
    return static_cast<T>(choose.below(7) - 3);
  } else if (kind == Elements::Special) {
    if constexpr (kFloating)
      return choose.of<T>({Limits::quiet_NaN(), -Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), T(0),
                           T(-0.0), Limits::denorm_min(), -Limits::denorm_min(), Limits::max(), Limits::lowest(), T(1),
                           T(-1)});
    else
      return choose.of<T>(
          {Limits::max(), Limits::lowest(), T(Limits::max() - 1), T(Limits::lowest() + 1), T(0), T(1), T(-1)});
  } else if constexpr (kFloating) {
    return static_cast<T>(choose.uniform(-1, 1) * std::pow(10, choose.below(30)));
  } else {
    return static_cast<T>(choose.below(Limits::max()) - Limits::max() / 2);
  }
}

/// NaN is the largest.
template <class T>
bool less(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    if (std::isnan(a) || std::isnan(b)) return !std::isnan(a);
  return a < b;
}

struct Form {
  std::int64_t rows, columns, kept;
  bool descending = false, has_values = true;
  Elements elements = Elements::Any;
};

class SortTest : public BackendTest {
 protected:
  template <class T>
  void check(const Form& form) {
    SCOPED_TRACE(::testing::Message() << name(dtype_of<T>()) << " " << form.rows << " x " << form.columns << ", "
                                      << form.kept << " kept, " << (form.descending ? "descending" : "ascending")
                                      << ", elements " << static_cast<int>(form.elements));
    Chooser choose(static_cast<std::uint64_t>(form.columns * 31 + form.kept));
    const std::int64_t in_row = form.columns + 3, value_row = form.kept + 1, index_row = form.kept + 2;
    Array in(dtype_of<T>(), form.rows * in_row), values(dtype_of<T>(), form.rows * value_row),
        indices(int64, form.rows * index_row);
    auto* const elements = reinterpret_cast<T*>(in.data());
    for (std::int64_t i = 0; i < in.count(); ++i) elements[i] = element<T>(choose, form.elements);
    for (std::int64_t i = 0; i < values.count(); ++i) values.set(i, 1);
    for (std::int64_t i = 0; i < indices.count(); ++i) indices.set(i, -7);
    DeviceArray from(backend(), in), to(backend(), values), places(backend(), indices);
    Sort call;
    call.descending = form.descending;
    call.rows = form.rows;
    call.columns = form.columns;
    call.kept = form.kept;
    call.in = from.operand({in_row});
    if (form.has_values) call.values = to.operand({value_row});
    call.indices = places.operand({index_row});
    backend().run(call);
    const Array sorted = to.download(), order = places.download();
    std::vector<std::int64_t> expected(static_cast<std::size_t>(form.columns));
    for (std::int64_t r = 0; r < form.rows; ++r) {
      const T* const row = elements + r * in_row;
      std::iota(expected.begin(), expected.end(), 0);
      std::stable_sort(expected.begin(), expected.end(), [&](std::int64_t a, std::int64_t b) {
        return form.descending ? less(row[b], row[a]) : less(row[a], row[b]);
      });
      for (std::int64_t i = 0; i < form.kept; ++i) {
        const std::int64_t place = expected[static_cast<std::size_t>(i)];
        ASSERT_EQ(order.at<std::int64_t>(r * index_row + i), place) << "row " << r << " at " << i;
        ASSERT_TRUE(form.has_values ? sorted.same_bits(r * value_row + i, in, r * in_row + place)
                                    : sorted.same_bits(r * value_row + i, values, r * value_row + i))
            << "row " << r << " at " << i;
      }
      ASSERT_TRUE(sorted.same_bits(r * value_row + form.kept, values, r * value_row + form.kept)) << "behind row " << r;
      for (std::int64_t i = form.kept; i < index_row; ++i)
        ASSERT_EQ(order.at<std::int64_t>(r * index_row + i), -7) << "behind row " << r;
    }
  }

  void check_all(const Form& form) {
    check<bool>(form);
    check<std::uint8_t>(form);
    check<std::int8_t>(form);
    check<std::int16_t>(form);
    check<std::int32_t>(form);
    check<std::int64_t>(form);
    check<float>(form);
    check<double>(form);
  }
};
LUGE_ON_EVERY_DEVICE(SortTest);

constexpr std::int64_t kSortedColumns[] = {1, 2, 3, 15, 16, 17, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000};
/// Around one, two and three tiles of a GPU's block.
constexpr std::int64_t kLongColumns[] = {2047, 2048, 2049, 4095, 4096, 4097, 6145};

TEST_P(SortTest, RowsOfEverySizeAndType) {
  for (const bool descending : {false, true})
    for (const Elements elements : {Elements::Any, Elements::Few, Elements::Special, Elements::Equal})
      for (const std::int64_t columns : kSortedColumns) {
        check_all({.rows = 3, .columns = columns, .kept = columns, .descending = descending, .elements = elements});
        if (HasFatalFailure()) return;
      }
}

TEST_P(SortTest, LongRows) {
  for (const bool descending : {false, true})
    for (const std::int64_t columns : kLongColumns) {
      const Elements elements = columns % 2 == 0 ? Elements::Special : Elements::Few;
      check_all({.rows = 2, .columns = columns, .kept = columns, .descending = descending, .elements = elements});
      check_all({.rows = 1, .columns = columns, .kept = columns, .descending = descending});
      if (HasFatalFailure()) return;
    }
  check<float>({.rows = 1, .columns = 100000, .kept = 100000});
  check<std::int64_t>({.rows = 1, .columns = 100000, .kept = 100000, .descending = true, .elements = Elements::Few});
}

/// Digits that all elements share are passed over: numbers that differ in one digit, and in two.
TEST_P(SortTest, FewDigitsDiffer) {
  for (const std::int64_t step :
       {std::int64_t{1}, std::int64_t{256}, std::int64_t{65536}, std::int64_t{1} << 24, std::int64_t{257}}) {
    Array in(int64, 700);
    for (std::int64_t i = 0; i < 700; ++i) reinterpret_cast<std::int64_t*>(in.data())[i] = (i * 37 % 100 - 50) * step;
    DeviceArray from(backend(), in), places(backend(), Array(int64, 700));
    Sort call;
    call.rows = 1;
    call.columns = call.kept = 700;
    call.in = from.operand({700});
    call.indices = places.operand({700});
    backend().run(call);
    const Array order = places.download();
    for (std::int64_t i = 1; i < 700; ++i) {
      const std::int64_t a = order.at<std::int64_t>(i - 1), b = order.at<std::int64_t>(i);
      const std::int64_t x = in.at<std::int64_t>(a), y = in.at<std::int64_t>(b);
      ASSERT_TRUE(x < y || (x == y && a < b)) << step << " at " << i;
    }
  }
}

TEST_P(SortTest, TheFirstOfEachRow) {
  for (const bool descending : {false, true})
    for (const Elements elements : {Elements::Any, Elements::Few, Elements::Special})
      for (const std::int64_t columns : {16, 17, 100, 257, 1000, 2049, 4097, 10000})
        for (const std::int64_t kept :
             {std::int64_t{1}, std::int64_t{3}, columns / 16, columns / 16 + 1, columns / 2, columns - 1}) {
          const Form form{.rows = 2, .columns = columns, .kept = kept, .descending = descending, .elements = elements};
          check<float>(form);
          if (columns <= 257) check_all(form);
          if (HasFatalFailure()) return;
        }
}

/// Ever better ones at the end: what is kept aside is replaced again and again.
TEST_P(SortTest, TheFirstOfAscendingAndDescendingRows) {
  for (const bool descending : {false, true}) {
    Array in(float32, 5000);
    for (std::int64_t i = 0; i < 5000; ++i) in.set(i, static_cast<double>(i));
    DeviceArray from(backend(), in), to(backend(), Array(float32, 20)), places(backend(), Array(int64, 20));
    Sort call;
    call.descending = descending;
    call.rows = 1;
    call.columns = 5000;
    call.kept = 20;
    call.in = from.operand({5000});
    call.values = to.operand({20});
    call.indices = places.operand({20});
    backend().run(call);
    const Array sorted = to.download(), order = places.download();
    for (std::int64_t i = 0; i < 20; ++i) {
      ASSERT_EQ(order.at<std::int64_t>(i), descending ? 4999 - i : i);
      ASSERT_EQ(sorted.get(i), static_cast<double>(descending ? 4999 - i : i));
    }
  }
}

/// Parts of rows so long that elements are left out first: small ones of each size, and nearly all.
TEST_P(SortTest, PartsOfLongRows) {
  for (const std::int64_t columns : {16383, 16384, 20001})
    for (const Elements elements : {Elements::Any, Elements::Few, Elements::Special, Elements::Equal}) {
      // A GPU, and what executes its kernels on the host, has one way for all lengths.
      if (backend().device().is_cuda() && (columns != 16384 || elements == Elements::Equal)) continue;
      const bool descending = elements != Elements::Any && columns % 2 == 0;
      for (const std::int64_t kept : {columns / 16 + 1, columns / 2, columns - columns / 4, columns - columns / 4 + 1}) {
        const Form form{.rows = 1, .columns = columns, .kept = kept, .descending = descending, .elements = elements};
        check<float>(form);
        check<std::int64_t>(form);
        if (columns == 16384 && !backend().device().is_cuda()) check_all(form);
        if (HasFatalFailure()) return;
      }
    }
}

TEST_P(SortTest, IndicesAlone) {
  for (const std::int64_t columns : {1, 100, 300, 2049, 4500})
    check<float>({.rows = 2, .columns = columns, .kept = columns, .has_values = false, .elements = Elements::Few});
  check<double>({.rows = 2, .columns = 5000, .kept = 10, .has_values = false});
}

/// More tiles than a GPU has blocks, of many short rows each and of part of a long row.
TEST_P(SortTest, ManyRows) {
  check<float>({.rows = 70000, .columns = 5, .kept = 5, .elements = Elements::Few});
  check<float>({.rows = 100, .columns = 1025, .kept = 1025});
  check<bool>({.rows = 100, .columns = 1025, .kept = 7, .descending = true});
}

/// Enough work for several threads: of many rows, and of one.
TEST_P(SortTest, ThreadsDoNotChangeTheOrder) {
  if (backend().device().is_cuda()) GTEST_SKIP() << "threads are the CPU's";
  const int before = num_threads();
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    check<float>({.rows = 1, .columns = 1200000, .kept = 1200000, .elements = Elements::Few});
    check<std::int64_t>({.rows = 1, .columns = 1100001, .kept = 1100001, .descending = true});
    check<double>({.rows = 2, .columns = 1100001, .kept = 400000, .elements = Elements::Special});
    check<float>({.rows = 2000, .columns = 300, .kept = 300, .elements = Elements::Few});
  }
  set_num_threads(before);
}

}  // namespace
}  // namespace luge::test
