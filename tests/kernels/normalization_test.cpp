// Normalization and its gradients against their formulas in long double.

#include <algorithm>

#include "backend_fixture.h"

namespace luge::test {
namespace {

using Real = long double;
using Numbers = std::vector<Real>;

/// A call's operands in host memory, sets `gap` elements apart from the end of the one before.
struct Operands {
  Array x, dy, weight, bias, y, dx, dweight, dbias, mean, rstd, variance;
};

/// What is expected of every result, of one set after the other without gaps.
struct Expected {
  Numbers y, dx, dweight, dbias, mean, rstd, variance;
};

struct Options {
  bool weighted = true, biased = true;
  Store store = Store::Overwrite;
  std::int64_t gap = 0;
  double level = 0;     ///< added to x
  double first = 0;     ///< the first element of each row, not over the batch; 0: as any other
  bool shares_x = false;  ///< all sets have the same x
};

class NormalizationTest : public BackendTest {
 protected:
  static std::int64_t row_of(const Normalization& call, std::int64_t element) {
    const std::int64_t plane = element / call.inner / call.channels;
    return call.over_batch ? plane % call.groups : plane;
  }
  static std::int64_t weight_of(const Normalization& call, std::int64_t element) {
    return element / call.inner % (call.groups * call.channels);
  }

  static Operands random(const Normalization& call, DType dtype, const Options& options) {
    const auto of = [&](std::int64_t per_set) { return Array(dtype, call.sets * (per_set + options.gap)); };
    const std::int64_t n = call.set_size();
    Operands all{of(n), of(n), of(call.weights()), of(call.weights()), of(n), of(n), of(call.weights()), of(call.weights()),
                 of(call.rows()), of(call.rows()), of(call.rows())};
    Chooser choose(static_cast<std::uint64_t>(n + call.batch));
    for (Array* const array : {&all.x, &all.dy, &all.weight, &all.bias, &all.y, &all.dx, &all.dweight, &all.dbias, &all.mean, &all.rstd,
                               &all.variance})
      choose.fill(*array, -1, 1);
    for (std::int64_t i = 0; i < all.x.count(); ++i) all.x.set(i, all.x.get(i) + options.level);
    for (std::int64_t s = 0; options.first != 0 && s < call.sets; ++s)
      for (std::int64_t r = 0; r < call.rows(); ++r) all.x.set(s * (n + options.gap) + r * call.row_size(), options.first);
    return all;
  }

  /// As the formulas say. The way back is from the moments that are true, too.
  static Expected expected(const Normalization& call, const Operands& all, const Options& options) {
    const std::int64_t n = call.set_size(), rows = call.rows(), weights = call.weights();
    const auto size = static_cast<Real>(call.row_size());
    Expected result;
    for (std::int64_t s = 0; s < call.sets; ++s) {
      const std::int64_t values = s * (n + options.gap), learned = s * (weights + options.gap);
      const auto x = [&](std::int64_t i) { return static_cast<Real>(all.x.get((options.shares_x ? 0 : values) + i)); };
      const auto w = [&](std::int64_t i) {
        return options.weighted ? static_cast<Real>(all.weight.get(learned + weight_of(call, i))) : Real(1);
      };
      const auto dy = [&](std::int64_t i) { return static_cast<Real>(all.dy.get(values + i)); };
      const auto count = [](std::int64_t k) { return static_cast<std::size_t>(k); };
      Numbers mean(count(rows)), variance(count(rows)), rstd(count(rows)), sums(count(rows)), dots(count(rows));
      const auto of_row = [&](Numbers& numbers, std::int64_t i) -> Real& { return numbers[count(row_of(call, i))]; };
      if (call.centred)
        for (std::int64_t i = 0; i < n; ++i) of_row(mean, i) += x(i) / size;
      for (std::int64_t i = 0; i < n; ++i) of_row(variance, i) += (x(i) - of_row(mean, i)) * (x(i) - of_row(mean, i)) / size;
      for (std::size_t r = 0; r < rstd.size(); ++r) rstd[r] = 1 / std::sqrt(variance[r] + static_cast<Real>(call.eps));
      const auto xhat = [&](std::int64_t i) { return (x(i) - of_row(mean, i)) * of_row(rstd, i); };
      Numbers dweight(count(weights)), dbias(count(weights));
      for (std::int64_t i = 0; i < n; ++i) {
        const Real bias = options.biased ? static_cast<Real>(all.bias.get(learned + weight_of(call, i))) : Real(0);
        result.y.push_back(xhat(i) * w(i) + bias);
        of_row(sums, i) += dy(i) * w(i) / size;
        of_row(dots, i) += dy(i) * w(i) * xhat(i) / size;
        dweight[count(weight_of(call, i))] += dy(i) * xhat(i);
        dbias[count(weight_of(call, i))] += dy(i);
      }
      const bool adds = options.store == Store::Accumulate;
      for (std::int64_t i = 0; i < n; ++i)
        result.dx.push_back(of_row(rstd, i) * (dy(i) * w(i) - (call.centred ? of_row(sums, i) : Real(0)) - xhat(i) * of_row(dots, i)) +
                            (adds ? static_cast<Real>(all.dx.get(values + i)) : Real(0)));
      for (std::int64_t k = 0; k < weights; ++k) {
        result.dweight.push_back(dweight[count(k)] + (adds ? static_cast<Real>(all.dweight.get(learned + k)) : Real(0)));
        result.dbias.push_back(dbias[count(k)] + (adds ? static_cast<Real>(all.dbias.get(learned + k)) : Real(0)));
      }
      const auto append = [](Numbers& to, const Numbers& from) { to.insert(to.end(), from.begin(), from.end()); };
      append(result.mean, mean);
      append(result.rstd, rstd);
      append(result.variance, variance);
    }
    return result;
  }

  /// Runs both ways; results take the places of what was in `all`.
  void run(Normalization call, Operands& all, const Options& options) {
    const std::int64_t n = call.set_size();
    DeviceArray x(backend(), all.x), dy(backend(), all.dy), weight(backend(), all.weight), bias(backend(), all.bias), y(backend(), all.y),
        dx(backend(), all.dx), dweight(backend(), all.dweight), dbias(backend(), all.dbias), mean(backend(), all.mean),
        rstd(backend(), all.rstd), variance(backend(), all.variance);
    const auto window = [&](DeviceArray& array, std::int64_t per_set) { return array.operand({per_set + options.gap}); };
    call.x = window(x, n);
    if (options.shares_x) call.x.strides[0] = 0;
    if (options.weighted) call.weight = window(weight, call.weights());
    if (options.biased) call.bias = window(bias, call.weights());
    call.y = window(y, n);
    if (call.centred) call.mean = window(mean, call.rows());
    call.rstd = window(rstd, call.rows());
    call.variance = window(variance, call.rows());
    backend().run(call);
    call.direction = Direction::Backward;
    call.y = call.variance = call.bias = absent();
    call.dy = window(dy, n);
    call.dx = window(dx, n);
    if (options.weighted) call.dweight = window(dweight, call.weights());
    if (options.biased) call.dbias = window(dbias, call.weights());
    call.store = call.weight_store = call.bias_store = options.store;
    backend().run(call);
    all.y = y.download();
    all.dx = dx.download();
    all.dweight = dweight.download();
    all.dbias = dbias.download();
    if (call.centred) all.mean = mean.download();
    all.rstd = rstd.download();
    all.variance = variance.download();
  }

  static void check(const char* what, const Normalization& call, const Array& found, const Numbers& wanted, const Options& options,
                    double bound) {
    const auto per_set = static_cast<std::int64_t>(wanted.size()) / call.sets;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(wanted.size()); ++i) {
      const std::int64_t at = i / per_set * (per_set + options.gap) + i % per_set;
      const auto value = static_cast<double>(wanted[static_cast<std::size_t>(i)]);
      ASSERT_NEAR(found.get(at), value, bound * (1 + std::abs(value)))
          << what << " " << i << " of " << call.name() << " " << call.sets << " " << call.batch << " " << call.groups << " "
          << call.channels << " " << call.inner << " " << name(found.dtype());
    }
  }

  void compare(const Normalization& call, DType dtype, const Options& options) {
    Operands all = random(call, dtype, options);
    const Expected wanted = expected(call, all, options);
    const Operands before = all;
    run(call, all, options);
    // The mean is rounded at the size of x, 1 + |level|. 1 / sqrt(variance + eps) is about 2 for numbers in [-1, 1), and up to
    // 1 / sqrt(eps) for few of them.
    const double e = epsilon(dtype), far = 4 * std::abs(options.level), steep = 1 / std::sqrt(call.eps);
    const bool few = call.row_size() < 16;
    const double scale = few ? steep * steep : 8;
    const double terms = std::sqrt(static_cast<double>(call.set_size() / call.weights()));
    check("y", call, all.y, wanted.y, options, e * (16 * scale + far));
    check("dx", call, all.dx, wanted.dx, options, e * (few ? 64 * scale * steep : 64 * scale + 4 * far));
    if (call.centred) check("mean", call, all.mean, wanted.mean, options, 4 * e);
    check("rstd", call, all.rstd, wanted.rstd, options, 4 * e * scale);
    // Means of parts of a row, which differ by their deviation, are rounded at the size of x before they are merged.
    const double apart = call.over_batch ? 1 / std::sqrt(static_cast<double>(call.inner)) : 0;
    check("variance", call, all.variance, wanted.variance, options, e * (8 + far * apart));
    if (options.weighted) check("dweight", call, all.dweight, wanted.dweight, options, e * (16 * scale + far) * terms);
    if (options.biased) check("dbias", call, all.dbias, wanted.dbias, options, 16 * e * terms);
    if (options.gap == 0) return;
    const std::int64_t n = call.set_size();
    for (std::int64_t s = 0; s < call.sets; ++s)
      for (std::int64_t i = 0; i < options.gap; ++i) {
        ASSERT_TRUE(all.y.same_bits(s * (n + options.gap) + n + i, before.y, s * (n + options.gap) + n + i));
        ASSERT_TRUE(all.dx.same_bits(s * (n + options.gap) + n + i, before.dx, s * (n + options.gap) + n + i));
      }
  }

  /// Every dtype, with and without weights, both stores.
  void compare_all(Normalization call) {
    call.eps = 0.01;
    for (const DType dtype : {float32, float64})
      for (const bool weighted : {false, true})
        for (const bool biased : {false, true})
          for (const Store store : {Store::Overwrite, Store::Accumulate})
            compare(call, dtype, {.weighted = weighted, .biased = biased, .store = store, .gap = weighted ? 3 : 0});
  }
};
LUGE_ON_EVERY_DEVICE(NormalizationTest);

Normalization layer(std::int64_t sets, std::int64_t batch, std::int64_t channels) {
  Normalization call;
  call.sets = sets, call.batch = batch, call.channels = channels;
  return call;
}

TEST_P(NormalizationTest, LayersOfEveryLength) {
  std::vector<std::int64_t> lengths{63, 64, 65, 127, 129, 256, 257, 512, 768, 1023, 1025};
  for (std::int64_t n = 1; n <= 33; ++n) lengths.push_back(n);
  for (const std::int64_t n : lengths) compare_all(layer(2, 3, n));
  for (const std::int64_t n : {4096, 4097, 8193, 20000}) compare_all(layer(1, 2, n));
}

TEST_P(NormalizationTest, ManyRowsOfALayer) {
  for (const std::int64_t rows : {31, 32, 33, 64, 65, 257, 1000}) compare_all(layer(2, rows, 17));
}

TEST_P(NormalizationTest, MeanSquares) {
  for (const std::int64_t n : {1, 2, 15, 16, 17, 64, 129, 768, 5000}) {
    Normalization call = layer(2, 5, n);
    call.centred = false;
    call.eps = 0.01;
    for (const DType dtype : {float32, float64})
      for (const Store store : {Store::Overwrite, Store::Accumulate})
        for (const bool weighted : {false, true}) compare(call, dtype, {.weighted = weighted, .biased = false, .store = store});
  }
}

TEST_P(NormalizationTest, Groups) {
  for (const std::int64_t inner : {1, 2, 7, 16, 49, 100})
    for (const std::int64_t channels : {1, 3, 8}) {
      Normalization call = layer(2, 4, channels);
      call.groups = 3, call.inner = inner;
      compare_all(call);
    }
  for (const std::int64_t inner : {600, 2000, 5000}) {
    Normalization large = layer(1, 2, 2);
    large.groups = 2, large.inner = inner;
    compare_all(large);
  }
}

TEST_P(NormalizationTest, OverTheBatch) {
  for (const std::int64_t inner : {1, 2, 7, 16, 49, 100, 784})
    for (const std::int64_t batch : {1, 2, 33, 70, 1000}) {
      if (inner * batch > 10000) continue;
      Normalization call = layer(2, batch, 1);
      call.groups = inner == 1 ? 70 : 3, call.inner = inner, call.over_batch = true;
      compare_all(call);
    }
  for (const std::int64_t inner : {1500, 9000}) {
    Normalization large = layer(1, 3, 1);
    large.groups = 2, large.inner = inner, large.over_batch = true;
    compare_all(large);
  }
}

TEST_P(NormalizationTest, SetsMayShareTheirNumbers) {
  Normalization call = layer(3, 4, 20);
  call.eps = 0.01;
  for (const DType dtype : {float32, float64}) compare(call, dtype, {.shares_x = true});
  call = layer(3, 4, 2);
  call.groups = 3, call.inner = 6, call.eps = 0.01;
  for (const DType dtype : {float32, float64}) compare(call, dtype, {.shares_x = true});
}

TEST_P(NormalizationTest, AMeanFarFromZeroCostsNothingButItsRounding) {
  for (const DType dtype : {float32, float64})
    for (Normalization call : {layer(2, 3, 64), layer(2, 3, 768), layer(1, 2, 10000)}) {
      call.eps = 1e-5;
      compare(call, dtype, {.level = 1000});
      call.groups = 2, call.channels = 1, call.inner = 500;
      for (const bool over_batch : {false, true}) {
        call.over_batch = over_batch;
        compare(call, dtype, {.level = 1000});
      }
    }
}

/// Deviations from the first element, which is all but the whole variance here, would lose the digits of the others.
TEST_P(NormalizationTest, AFirstElementFarFromTheMeanCostsNoDigits) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t n : {64, 768, 4096, 10000}) {
      Normalization call = layer(2, 3, n);
      call.eps = 1e-5;
      compare(call, dtype, {.first = 10000});
    }
}

/// Sets of a call against calls with a set each: bit for bit.
TEST_P(NormalizationTest, ASetHasTheSameBitsAlone) {
  Normalization several = layer(3, 300, 40);
  Normalization groups = layer(3, 70, 5);
  groups.groups = 4, groups.inner = 50;
  Normalization batch = layer(3, 70, 1);
  batch.groups = 4, batch.inner = 50, batch.over_batch = true;
  Normalization columns = layer(3, 100, 1);
  columns.groups = 70, columns.over_batch = true;
  for (Normalization call : {several, groups, batch, columns})
    for (const DType dtype : {float32, float64}) {
      call.eps = 1e-5;
      Operands all = random(call, dtype, {});
      const Operands given = all;
      run(call, all, {});
      const auto part = [&](const Array& array, std::int64_t set) {
        const std::int64_t n = array.count() / call.sets;
        Array own(dtype, n);
        std::memcpy(own.data(), array.data() + static_cast<std::size_t>(set) * own.size(), own.size());
        return own;
      };
      for (std::int64_t s = 0; s < call.sets; ++s) {
        Operands alone{part(given.x, s), part(given.dy, s), part(given.weight, s), part(given.bias, s), part(given.y, s), part(given.dx, s),
                       part(given.dweight, s), part(given.dbias, s), part(given.mean, s), part(given.rstd, s), part(given.variance, s)};
        Normalization one = call;
        one.sets = 1;
        run(one, alone, {});
        const std::pair<const Array*, const Array*> results[] = {
            {&all.y, &alone.y}, {&all.dx, &alone.dx}, {&all.dweight, &alone.dweight}, {&all.dbias, &alone.dbias},
            {&all.mean, &alone.mean}, {&all.rstd, &alone.rstd}, {&all.variance, &alone.variance}};
        for (const auto& [together, own] : results)
          for (std::int64_t i = 0; i < own->count(); ++i) ASSERT_TRUE(together->same_bits(s * own->count() + i, *own, i)) << i;
      }
    }
}

/// A row with a NaN or an infinity has NaN everywhere, as PyTorch's; others are not touched by it.
TEST_P(NormalizationTest, NoNumbersStayInTheirRow) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double odd : {std::numeric_limits<double>::quiet_NaN(), infinity, -infinity})
    for (const std::int64_t n : {20, 5000}) {
      Normalization call = layer(1, 3, n);
      call.eps = 1e-5;
      Operands all = random(call, float32, {});
      Operands plain = all;
      run(call, plain, {});
      all.x.set(n + 7, odd);
      run(call, all, {});
      for (std::int64_t i = 0; i < n; ++i) {
        EXPECT_TRUE(std::isnan(all.y.get(n + i)));
        EXPECT_TRUE(std::isnan(all.dx.get(n + i)));
        EXPECT_TRUE(all.y.same_bits(i, plain.y, i) && all.y.same_bits(2 * n + i, plain.y, 2 * n + i));
      }
    }
}

}  // namespace
}  // namespace luge::test
