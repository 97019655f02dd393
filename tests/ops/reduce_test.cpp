// Reductions against plain loops in float64: every set of dimensions, every dtype, nothing, NaN, large sizes.

#include <limits>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

struct Reduction {
  const char* name;
  std::function<Tensor(const Tensor&, const DimList&, bool)> call;
  std::function<double(const std::vector<double>&)> exact;  ///< of the values in row-major order
  bool floating_only;
};

double mean_of(const std::vector<double>& v) {
  double sum = 0;
  for (const double x : v) sum += x;
  return sum / static_cast<double>(v.size());
}

const std::vector<Reduction>& reductions() {
  static const std::vector<Reduction> all = {
      {"sum", [](auto& x, auto& d, bool k) { return x.sum(d, k); }, [](auto& v) { return mean_of(v) * static_cast<double>(v.size()); }, false},
      {"mean", [](auto& x, auto& d, bool k) { return x.mean(d, k); }, mean_of, true},
      {"nansum", [](auto& x, auto& d, bool k) { return x.nansum(d, k); }, [](auto& v) { return mean_of(v) * static_cast<double>(v.size()); }, false},
      {"var", [](auto& x, auto& d, bool k) { return x.var(d, 1, k); },
       [](auto& v) {
         double squares = 0;
         for (const double x : v) squares += (x - mean_of(v)) * (x - mean_of(v));
         return squares / (static_cast<double>(v.size()) - 1);
       }, true},
      {"prod", [](auto& x, auto& d, bool k) { return x.prod(d, k); },
       [](auto& v) {
         double product = 1;
         for (const double x : v) product *= x;
         return product;
       }, false},
      {"max", [](auto& x, auto& d, bool k) { return x.max(d, k); }, [](auto& v) { return *std::max_element(v.begin(), v.end()); }, false},
      {"min", [](auto& x, auto& d, bool k) { return x.min(d, k); }, [](auto& v) { return *std::min_element(v.begin(), v.end()); }, false},
      {"argmax", [](auto& x, auto& d, bool k) { return x.argmax(d, k); },
       [](auto& v) { return static_cast<double>(std::max_element(v.begin(), v.end()) - v.begin()); }, false},
      {"argmin", [](auto& x, auto& d, bool k) { return x.argmin(d, k); },
       [](auto& v) { return static_cast<double>(std::min_element(v.begin(), v.end()) - v.begin()); }, false},
      {"logsumexp", [](auto& x, auto& d, bool k) { return x.logsumexp(d, k); },
       [](auto& v) {
         const double most = *std::max_element(v.begin(), v.end());
         double sum = 0;
         for (const double x : v) sum += std::exp(x - most);
         return most + std::log(sum);
       }, true},
  };
  return all;
}

/// The reduced values of each result, in row-major order, by a naive walk.
std::vector<std::vector<double>> groups(const std::vector<double>& values, const Shape& shape, const std::vector<bool>& reduced) {
  std::int64_t results = 1;
  for (int d = 0; d < shape.ndim(); ++d)
    if (!reduced[static_cast<std::size_t>(d)]) results *= shape[d];
  std::vector<std::vector<double>> all(static_cast<std::size_t>(results));
  for (std::int64_t p = 0; p < static_cast<std::int64_t>(values.size()); ++p) {
    std::int64_t rest = p, to = 0, step = 1;
    for (int d = shape.ndim() - 1; d >= 0; --d) {
      const std::int64_t i = rest % shape[d];
      rest /= shape[d];
      if (reduced[static_cast<std::size_t>(d)]) continue;
      to += i * step;
      step *= shape[d];
    }
    all[static_cast<std::size_t>(to)].push_back(values[static_cast<std::size_t>(p)]);
  }
  return all;
}

Shape reduced_shape(const Shape& shape, const std::vector<bool>& reduced, bool keepdim) {
  Shape result;
  for (int d = 0; d < shape.ndim(); ++d) {
    if (!reduced[static_cast<std::size_t>(d)])
      result.push_back(shape[d]);
    else if (keepdim)
      result.push_back(1);
  }
  return result;
}

class ReduceTest : public DeviceTest {
 protected:
  /// Small whole numbers with few repeats, exact in every dtype.
  Tensor numbers(const Shape& shape, DType dtype) const {
    std::vector<double> values;
    for (std::int64_t i = 0; i < element_count(shape); ++i)
      values.push_back(static_cast<double>((i * 7 + i / 5) % 11) - 5);
    const Tensor x = from_host(values, shape, device());
    return (is_floating(dtype) ? x * 0.5 : x).to(dtype);
  }
};
LUGE_ON_EVERY_DEVICE(ReduceTest);

DimList dim_list(const std::vector<bool>& reduced, bool negative) {
  // DimList takes what is written at the call; sets of up to four are spelled out here.
  std::vector<int> d;
  for (int i = 0; i < static_cast<int>(reduced.size()); ++i)
    if (reduced[static_cast<std::size_t>(i)]) d.push_back(negative ? i - static_cast<int>(reduced.size()) : i);
  switch (d.size()) {
    case 0: return DimList(std::initializer_list<int>{});
    case 1: return {d[0]};
    case 2: return {d[1], d[0]};
    case 3: return {d[0], d[1], d[2]};
    default: return {d[0], d[1], d[2], d[3]};
  }
}

TEST_P(ReduceTest, EverySetOfDimensions) {
  for (const Shape& shape : {Shape{3, 4, 2, 5}, Shape{1, 3, 1, 4}, Shape{6, 7}, Shape{2, 3, 4}, Shape{5}, Shape{}}) {
    for (const DType dtype : {boolean, int32, int64, float32, float64}) {
      const Tensor plain = numbers(shape, dtype);
      std::vector<Tensor> layouts(shape.ndim() > 1 ? 3 : 1, plain);
      if (shape.ndim() > 1) {
        layouts[1] = plain.transpose(0, -1).contiguous().transpose(0, -1);
        layouts[2] = stack({plain, plain, plain}, shape.ndim()).select(-1, 1);
      }
      for (unsigned set = 0; set < 1u << shape.ndim(); ++set) {
        std::vector<bool> reduced;
        for (int d = 0; d < shape.ndim(); ++d) reduced.push_back((set >> d & 1) != 0);
        for (const bool keepdim : {false, true}) {
          for (const Reduction& r : reductions()) {
            if (r.floating_only && !is_floating(dtype)) continue;
            const std::string op = r.name;
            const bool arg = op.starts_with("arg"), widens = (op == "sum" || op == "nansum" || op == "prod") && !is_floating(dtype);
            std::vector<double> expected;
            for (const std::vector<double>& group : groups(plain.to_vector<double>(), shape, reduced)) expected.push_back(r.exact(group));
            for (const Tensor& x : layouts) {
              const Tensor result = r.call(x, dim_list(reduced, keepdim), keepdim);
              ASSERT_TRUE(has_values(result, reduced_shape(shape, reduced, keepdim), arg || widens ? int64 : dtype, expected,
                                     is_floating(dtype) ? 32 * unit_roundoff(dtype) : 0))
                  << r.name << " of " << to_string(shape) << " " << name(dtype) << ", set " << set;
            }
          }
        }
      }
    }
  }
}

TEST_P(ReduceTest, WithoutDimensionsOverEverything) {
  const Tensor x = numbers({3, 4, 5}, float64);
  EXPECT_TRUE(same(x.sum(), x.sum({0, 1, 2})));
  EXPECT_TRUE(same(x.mean(), x.mean({0, 1, 2})));
  EXPECT_TRUE(same(x.var(), x.var({0, 1, 2})));
  EXPECT_TRUE(same(x.prod(), x.prod({0, 1, 2})));
  EXPECT_TRUE(same(x.max(), x.max({0, 1, 2})));
  EXPECT_TRUE(same(x.min(), x.min({0, 1, 2})));
  EXPECT_TRUE(same(x.argmax(), x.argmax({0, 1, 2})));
  EXPECT_TRUE(same(x.argmin(), x.argmin({0, 1, 2})));
}

TEST_P(ReduceTest, VarianceWithCorrections) {
  const Tensor x = tensor({{1, 2, 4}, {3, 3, 3}}, on(float64));
  EXPECT_TRUE(has_values(x.var(1, 0), {2}, float64, {14.0 / 9, 0}, 1e-15));
  EXPECT_TRUE(has_values(x.var(1), {2}, float64, {7.0 / 3, 0}, 1e-15));
  EXPECT_TRUE(has_values(x.slice(1, 0, 1).var(1), {2}, float64, {kNan, kNan}));
  // Subtracting first keeps the digits that squares of large numbers lose.
  EXPECT_TRUE(has_values((x + 1e8).var(1), {2}, float64, {7.0 / 3, 0}, 1e-7));
}

TEST_P(ReduceTest, OfNothing) {
  for (const DType dtype : {float32, float64}) {
    const Tensor x = zeros({2, 0}, on(dtype));
    EXPECT_TRUE(has_values(x.sum(), {}, dtype, {0}));
    EXPECT_TRUE(has_values(x.sum(1), {2}, dtype, {0, 0}));
    EXPECT_TRUE(has_values(x.sum(0), {0}, dtype, {}));
    EXPECT_TRUE(has_values(x.prod(1), {2}, dtype, {1, 1}));
    EXPECT_TRUE(has_values(x.mean(1), {2}, dtype, {kNan, kNan}));
    EXPECT_TRUE(has_values(x.var(1), {2}, dtype, {kNan, kNan}));
    EXPECT_TRUE(has_values(x.logsumexp(1, true), {2, 1}, dtype, {-kInf, -kInf}));
    EXPECT_TRUE(has_values(x.max(0), {0}, dtype, {}));
    EXPECT_TRUE(has_values(x.argmax(0, true), {1, 0}, int64, {}));
    EXPECT_TRUE(has_values(x.all(), {}, boolean, {1}));
    EXPECT_TRUE(has_values(x.any(), {}, boolean, {0}));
  }
  EXPECT_TRUE(has_values(zeros({0}, on(int32)).sum(), {}, int64, {0}));
  EXPECT_TRUE(has_values(zeros({0}, on(boolean)).prod(), {}, int64, {1}));
}

TEST_P(ReduceTest, NotANumber) {
  for (const DType dtype : {float32, float64}) {
    for (const std::int64_t n : {3, 17, 129, 5000}) {
      for (const std::int64_t at : {std::int64_t{0}, n / 2, n - 1}) {
        Tensor x = numbers({n}, dtype);
        x.slice(0, at, at + 1).fill_(kNan);
        EXPECT_TRUE(std::isnan(x.sum().item()));
        EXPECT_TRUE(std::isnan(x.mean().item()));
        EXPECT_TRUE(std::isnan(x.prod().item()));
        EXPECT_TRUE(std::isnan(x.max().item())) << n << " at " << at;
        EXPECT_TRUE(std::isnan(x.min().item())) << n << " at " << at;
        EXPECT_TRUE(std::isnan(x.logsumexp(0).item()));
        EXPECT_EQ(x.argmax().item<std::int64_t>(), at);
        EXPECT_EQ(x.argmin().item<std::int64_t>(), at);
        EXPECT_TRUE(x.any().item<bool>());
      }
    }
    const Tensor two = tensor({1, kNan, 5, kNan}, on(dtype));
    EXPECT_EQ(two.argmax().item<int>(), 1);
    EXPECT_EQ(two.argmin().item<int>(), 1);
  }
}

TEST_P(ReduceTest, Infinities) {
  const Tensor x = tensor({{-kInf, -kInf}, {-kInf, 1}, {kInf, 1}, {kInf, -kInf}}, on());
  EXPECT_TRUE(has_values(x.logsumexp(1), {4}, float32, {-kInf, 1, kInf, kInf}));
  EXPECT_TRUE(has_values(x.sum(1), {4}, float32, {-kInf, -kInf, kInf, kNan}));
  EXPECT_TRUE(has_values(x.max(1), {4}, float32, {-kInf, 1, kInf, kInf}));
  EXPECT_TRUE(has_values(x.min(1), {4}, float32, {-kInf, -kInf, 1, -kInf}));
  EXPECT_TRUE(has_values(x.argmin(1), {4}, int64, {0, 0, 1, 1}));
  EXPECT_TRUE(has_values(tensor({1000, 1000}, on()).logsumexp(0), {}, float32, {1000 + std::log(2)}, 1e-7));
}

TEST_P(ReduceTest, TheFirstOfEqualsIsTheExtreme) {
  for (const DType dtype : {boolean, int32, int64, float32, float64}) {
    for (const std::int64_t n : {1, 16, 17, 128, 129, 4097, 100000}) {
      Tensor x = zeros({n}, on(dtype));
      EXPECT_EQ(x.argmax().item<int>(), 0);
      x.slice(0, n / 2).fill_(1);
      EXPECT_EQ(x.argmax().item<std::int64_t>(), n / 2) << n;
      EXPECT_EQ(x.argmin().item<int>(), 0);
      EXPECT_EQ(x.max().item(), 1);
    }
  }
}

TEST_P(ReduceTest, LargeSizesKeepTheirDigits) {
  manual_seed(4);
  for (const std::int64_t n : {15, 16, 17, 127, 128, 129, 4095, 4096, 4097, 100000, 3000000}) {
    const Tensor x = rand({n}, on());
    double exact = 0, most = 0, sum_of_exp = 0;
    const std::vector<float> values = x.to_vector<float>();
    for (const float v : values) {
      exact += static_cast<double>(v);
      most = std::max(most, static_cast<double>(v));
      sum_of_exp += std::exp(static_cast<double>(v));
    }
    // Chunks are added in float32, the chunks themselves in float64.
    EXPECT_NEAR(x.sum().item(), exact, exact * 1e-6) << n;
    EXPECT_NEAR(x.mean().item(), exact / static_cast<double>(n), 1e-6) << n;
    EXPECT_EQ(x.max().item(), most);
    EXPECT_EQ(values[x.argmax().item<std::size_t>()], static_cast<float>(most));
    EXPECT_NEAR(x.logsumexp(0).item(), std::log(sum_of_exp), 1e-5) << n;
  }
  EXPECT_EQ(ones({1 << 25}, on()).sum().item(), 1 << 25);  // a float32 accumulator stops at 2^24
  EXPECT_EQ(ones({3, 1 << 20}, on(boolean)).sum(1).to_vector<std::int64_t>(), (std::vector<std::int64_t>(3, 1 << 20)));
}

TEST_P(ReduceTest, ResultsDoNotDependOnThreadsOrNeighbours) {
  manual_seed(6);
  const Tensor x = randn({7, 400001}, on());
  const int before = num_threads();
  std::vector<Tensor> results[2];
  for (int i = 0; i < 2; ++i) {
    set_num_threads(i == 0 ? 1 : 4);
    results[i] = {x.sum(), x.sum(1), x.sum(0), x.mean(1), x.logsumexp(1), x.prod(0), x.var(1)};
  }
  set_num_threads(before);
  for (std::size_t i = 0; i < results[0].size(); ++i) EXPECT_TRUE(same(results[0][i].flatten().slice(0, 0, 1000), results[1][i].flatten().slice(0, 0, 1000))) << i;
  for (int row = 0; row < 7; ++row) EXPECT_TRUE(same(x[row].sum(), results[0][1][row])) << "row " << row;
}

TEST_P(ReduceTest, AllAndAny) {
  for (const DType dtype : {boolean, int32, int64, float32, float64}) {
    EXPECT_TRUE(tensor({1, 2, 3}, on(dtype)).all().item<bool>());
    EXPECT_FALSE(tensor({1, 0, 3}, on(dtype)).all().item<bool>());
    EXPECT_TRUE(tensor({0, 0, 3}, on(dtype)).any().item<bool>());
    EXPECT_FALSE(tensor({0, 0}, on(dtype)).any().item<bool>());
    EXPECT_EQ(tensor({1, 2}, on(dtype)).all().dtype(), boolean);
  }
  EXPECT_TRUE(tensor({0.25, 0.5}, on()).all().item<bool>());
}

TEST_P(ReduceTest, RepeatsAndTruthTakeNoCopy) {
  const std::int64_t n = 1 << 20;
  const auto extra = [&](const std::function<Tensor()>& call) {
    reset_peak_memory(device());
    const std::size_t before = memory_stats(device()).allocated;
    call();
    return memory_stats(device()).peak - before;
  };
  const Tensor flags = ones({n}, on(boolean)), other = ones({n}, on(boolean));
  EXPECT_LT(extra([&] { return flags.all(); }), n / 8);
  EXPECT_LT(extra([&] { return flags.any(); }), n / 8);
  EXPECT_LT(extra([&] { return flags.eq(other).all(); }), n + n / 8) << "the comparison has a byte for each element";
  const Tensor row = tensor({1, 2, 4}, on(float64)), wide = row.expand({n, 3});
  EXPECT_LT(extra([&] { return wide.var(); }), n / 8);
  EXPECT_LT(extra([&] { return wide.var(0); }), n / 8);
  EXPECT_LT(extra([&] { return wide.std(0); }), n / 8);
  EXPECT_LT(extra([&] { return wide.all(); }), n / 8);
  // 14 / 9, n times over, divided by one element less.
  EXPECT_NEAR(wide.var().item(), 14.0 / 9 * (3.0 * n) / (3.0 * n - 1), 1e-15);
  EXPECT_TRUE(has_values(wide.var(0), {3}, float64, {0, 0, 0}));
  EXPECT_TRUE(has_values(wide.slice(0, 0, 2).var(1), {2}, float64, {7.0 / 3, 7.0 / 3}, 1e-15));
  EXPECT_TRUE(has_values(wide.slice(0, 0, 2).var(DimList(1), 0, true), {2, 1}, float64, {14.0 / 9, 14.0 / 9}, 1e-15));
  Tensor leaf = tensor({1, 2, 4}, on(float64, true));
  leaf.expand({2, 3}).var({0, 1}, 0).backward();
  EXPECT_TRUE(has_values(leaf.grad(), {3}, float64, {-8.0 / 9, -2.0 / 9, 10.0 / 9}, 1e-15));
}

TEST_P(ReduceTest, NanSumSkipsNaN) {
  for (const DType dtype : {float32, float64}) {
    Tensor x = from_host(std::vector<double>{1, kNan, 3, kNan, kInf, -2}, {3, 2}).to(dtype).to(device()).requires_grad_();
    EXPECT_TRUE(has_values(x.nansum(), {}, dtype, {kInf}));
    EXPECT_TRUE(has_values(x.nansum(0), {2}, dtype, {kInf, -2}));
    EXPECT_TRUE(has_values(x.nansum(1, true), {3, 1}, dtype, {1, 3, kInf}));
    x.nansum().backward();
    EXPECT_TRUE(has_values(x.grad(), {3, 2}, dtype, {1, 0, 1, 0, 1, 1}));
    EXPECT_TRUE(has_values(full({2}, kNan, on(dtype)).nansum(), {}, dtype, {0}));
    EXPECT_TRUE(has_values(zeros({0, 2}, on(dtype)).nansum(0), {2}, dtype, {0, 0}));
  }
  EXPECT_TRUE(has_values(arange(4, on(int64)).nansum(), {}, int64, {6}));
  expect_errors({LUGE_ERROR(IndexError, "^nansum: dim 1 is out of range", arange(4, on(int64)).nansum(1)),
                 LUGE_ERROR(ValueError, "^nansum: ", Tensor().nansum())});
}

}  // namespace
}  // namespace luge::test
