// The stand-in for cuBLASLt: right results in every layout, no argument that the real one would refuse; and how luge
// uses it.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include <cublasLt.h>

#include <luge/luge.h>

#include "simt/cublas/cublas.h"
#include "simt/simt.h"

namespace simt::test {
namespace {

/// A product of float64 matrices: sizes as they are multiplied, leading dimensions and steps as they are stored.
struct Product {
  cublasOperation_t op_a, op_b;
  std::int64_t m, n, k, lda, ldb, ldc;
  std::int64_t step_a, step_b, step_c;
  std::int32_t count;
  bool onto = false;  ///< added to a matrix of its own, as follows, not to what it overwrites
  std::int64_t ld_onto = 0, step_onto = 0;
};

class CublasTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, 0), cudaSuccess);
    ASSERT_EQ(cublasLtCreate(&handle_), CUBLAS_STATUS_SUCCESS);
    for (double*& data : data_) data = static_cast<double*>(allocate(kElements * sizeof(double)));
    workspace_ = allocate(kWorkspace);
  }
  void TearDown() override {
    for (double* const data : data_) cudaFreeAsync(data, stream_);
    cudaFreeAsync(workspace_, stream_);
    cudaStreamDestroy(stream_);
    cublasLtDestroy(handle_);
  }

  void* allocate(std::size_t bytes) {
    void* memory = nullptr;
    EXPECT_EQ(cudaMallocAsync(&memory, bytes, stream_), cudaSuccess);
    return memory;
  }

  /// Finds an algorithm for single matrices and runs it for all; the first status that is no success. `onto`: the
  /// elements of data_[2] behind which what the product is added to begins, where it is not in data_[3].
  cublasStatus_t run(const Product& p, std::uint32_t alignment = 8, std::size_t workspace = kWorkspace,
                     std::int64_t shift = 0, std::int64_t onto = -1) {
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t layouts[2][4] = {};
    cublasLtMatmulPreference_t preference = nullptr;
    const bool turn_a = p.op_a != CUBLAS_OP_N, turn_b = p.op_b != CUBLAS_OP_N;
    const std::int64_t rows[] = {turn_a ? p.k : p.m, turn_b ? p.n : p.k, p.m, p.m};
    const std::int64_t columns[] = {turn_a ? p.m : p.k, turn_b ? p.k : p.n, p.n, p.n};
    const std::int64_t leading[] = {p.lda, p.ldb, p.ldc, p.ld_onto};
    const std::int64_t steps[] = {p.step_a, p.step_b, p.step_c, p.step_onto};
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    const auto then = [&status](cublasStatus_t next) {
      if (status == CUBLAS_STATUS_SUCCESS) status = next;
      return status == CUBLAS_STATUS_SUCCESS;
    };
    then(cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_64F, CUDA_R_64F));
    then(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSA, &p.op_a, sizeof p.op_a));
    then(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSB, &p.op_b, sizeof p.op_b));
    for (int batched = 0; batched < 2; ++batched) {
      for (int i = 0; i < (p.onto ? 4 : 3); ++i) {
        cublasLtMatrixLayout_t& layout = layouts[batched][i];
        if (!then(cublasLtMatrixLayoutCreate(&layout, CUDA_R_64F, static_cast<std::uint64_t>(rows[i]),
                                             static_cast<std::uint64_t>(columns[i]), leading[i])) ||
            batched == 0)
          continue;
        then(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &p.count, sizeof p.count));
        then(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &steps[i],
                                              sizeof steps[i]));
      }
    }
    then(cublasLtMatmulPreferenceCreate(&preference));
    const auto bytes = static_cast<std::uint64_t>(kWorkspace);
    then(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes,
                                              sizeof bytes));
    for (const auto which : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                             CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
      then(cublasLtMatmulPreferenceSetAttribute(preference, which, &alignment, sizeof alignment));
    cublasLtMatmulHeuristicResult_t result{};
    int found = 0;
    if (status == CUBLAS_STATUS_SUCCESS)
      then(cublasLtMatmulAlgoGetHeuristic(handle_, operation, layouts[0][0], layouts[0][1], layouts[0][2],
                                          layouts[0][2], preference, 1, &result, &found));
    const double alpha = 2, beta = 0.5;
    const double* const added = !p.onto ? data_[2] : onto < 0 ? data_[3] : data_[2] + onto;
    if (status == CUBLAS_STATUS_SUCCESS)
      then(cublasLtMatmul(handle_, operation, &alpha, data_[0] + shift, layouts[1][0], data_[1], layouts[1][1], &beta,
                          added, layouts[1][p.onto ? 3 : 2], data_[2], layouts[1][2], &result.algo, workspace_,
                          workspace, stream_));
    for (auto& some : layouts)
      for (cublasLtMatrixLayout_t layout : some)
        if (layout) cublasLtMatrixLayoutDestroy(layout);
    cublasLtMatmulDescDestroy(operation);
    cublasLtMatmulPreferenceDestroy(preference);
    return status;
  }

  static constexpr std::size_t kElements = 1000, kWorkspace = std::size_t{4} << 20;
  cudaStream_t stream_ = nullptr;
  cublasLtHandle_t handle_ = nullptr;
  double* data_[4] = {};
  void* workspace_ = nullptr;
};

constexpr auto kN = CUBLAS_OP_N, kT = CUBLAS_OP_T;

TEST_F(CublasTest, MultipliesInEveryLayout) {
  std::mt19937_64 engine(1);
  std::uniform_real_distribution<> uniform(-1, 1);
  constexpr std::int64_t m = 3, n = 4, k = 5, count = 2, ld = 9, step = 60;
  std::vector<double> host[3];
  for (auto& values : host) {
    values.resize(kElements);
    for (double& value : values) value = uniform(engine);
  }
  for (const cublasOperation_t op_a : {kN, kT}) {
    for (const cublasOperation_t op_b : {kN, kT}) {
      for (int i = 0; i < 3; ++i)
        cudaMemcpyAsync(data_[i], host[i].data(), kElements * sizeof(double), cudaMemcpyHostToDevice, stream_);
      ASSERT_EQ(run({op_a, op_b, m, n, k, ld, ld, ld, step, step, step, count}), CUBLAS_STATUS_SUCCESS);
      std::vector<double> result(kElements);
      cudaMemcpyAsync(result.data(), data_[2], kElements * sizeof(double), cudaMemcpyDeviceToHost, stream_);
      ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
      for (std::int64_t matrix = 0; matrix < count; ++matrix) {
        for (std::int64_t row = 0; row < m; ++row) {
          for (std::int64_t column = 0; column < n; ++column) {
            const auto at = [&](int which, std::int64_t i, std::int64_t j) {
              return host[which][static_cast<std::size_t>(matrix * step + j * ld + i)];
            };
            double sum = 0;
            for (std::int64_t l = 0; l < k; ++l)
              sum += (op_a == kN ? at(0, row, l) : at(0, l, row)) * (op_b == kN ? at(1, l, column) : at(1, column, l));
            EXPECT_NEAR(result[static_cast<std::size_t>(matrix * step + column * ld + row)],
                        2 * sum + 0.5 * at(2, row, column), 1e-14);
          }
        }
      }
    }
  }
}

/// Out of place, with one column for all, as a layer's bias.
TEST_F(CublasTest, AddsAColumnToAllColumns) {
  std::vector<double> column(kElements), zeros(kElements), result(kElements);
  for (std::size_t i = 0; i < column.size(); ++i) column[i] = static_cast<double>(i);
  for (int i = 0; i < 4; ++i)
    cudaMemcpyAsync(data_[i], i == 3 ? column.data() : zeros.data(), kElements * sizeof(double), cudaMemcpyHostToDevice,
                    stream_);
  ASSERT_EQ(run({kN, kN, 3, 4, 5, 3, 5, 3, 20, 20, 20, 2, true, 0, 7}), CUBLAS_STATUS_SUCCESS);
  cudaMemcpyAsync(result.data(), data_[2], kElements * sizeof(double), cudaMemcpyDeviceToHost, stream_);
  ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  for (std::size_t matrix = 0; matrix < 2; ++matrix)
    for (std::size_t j = 0; j < 4; ++j)
      for (std::size_t i = 0; i < 3; ++i)
        EXPECT_EQ(result[matrix * 20 + j * 3 + i], 0.5 * static_cast<double>(matrix * 7 + i)) << matrix << i << j;
}

TEST_F(CublasTest, RefusesWhatTheRealOneRefuses) {
  const auto with = [](auto change) {
    Product p{kN, kN, 3, 4, 5, 3, 5, 3, 20, 20, 20, 2};
    change(p);
    return p;
  };
  constexpr auto kRefused = CUBLAS_STATUS_INVALID_VALUE;
  EXPECT_EQ(run(with([](Product&) {})), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(run(with([](Product& p) { p.lda = 2; })), kRefused);
  EXPECT_EQ(run(with([](Product& p) { p.op_a = kT; })), kRefused) << "lda, transposed";
  EXPECT_EQ(run(with([](Product& p) { p.ldb = 4; })), kRefused);
  EXPECT_EQ(run(with([](Product& p) { p.ldc = 2; })), kRefused);
  EXPECT_EQ(run(with([](Product& p) { p.lda = 0; })), kRefused) << "one column for all is for c alone";
  EXPECT_EQ(run(with([](Product& p) { p.ldc = 0; })), kRefused) << "and out of place";
  EXPECT_EQ(run(with([](Product& p) {
              p.onto = true;
              p.ld_onto = 2;
            })),
            kRefused)
      << "columns of c that overlap";
  const Product out_of_place = with([](Product& p) {
    p.onto = true;
    p.ld_onto = 3;
    p.step_onto = 20;
  });
  EXPECT_EQ(run(out_of_place), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(run(out_of_place, 8, kWorkspace, 0, 0), kRefused) << "in place, by another descriptor";
  EXPECT_EQ(run(out_of_place, 8, kWorkspace, 0, 31), kRefused) << "overlaps the result";
  EXPECT_EQ(run(out_of_place, 8, kWorkspace, 0, 40), CUBLAS_STATUS_SUCCESS) << "behind the result";
  EXPECT_EQ(run(with([](Product& p) { p.m = 0; })), kRefused);
  EXPECT_EQ(run(with([](Product& p) { p.count = 0; })), kRefused);
  EXPECT_EQ(run(with([](Product& p) { p.step_c = 11; })), kRefused) << "results overlap";
  EXPECT_EQ(run(with([](Product& p) { p.step_a = 990; })), kRefused) << "a beyond its memory";
  EXPECT_EQ(run(with([](Product& p) { p.count = 60; })), kRefused) << "batch beyond memory";
  EXPECT_EQ(run(with([](Product& p) {
                  p.lda = 4;
                  p.ldb = 6;
                  p.ldc = 4;
                }),
                16),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(run(with([](Product& p) {
                  p.lda = 4;
                  p.ldb = 6;
                  p.ldc = 4;
                }),
                16, kWorkspace, 1),
            kRefused)
      << "alignment";
  EXPECT_EQ(run(with([](Product& p) {
                  p.ldb = 6;
                  p.ldc = 4;
                }),
                16),
            kRefused)
      << "alignment of columns";
}

TEST_F(CublasTest, AnAlgorithmThatSplitsNeedsItsWorkspace) {
  const Product p{kT, kN, 1, 1, 300, 300, 300, 1, 300, 300, 1, 1};
  EXPECT_EQ(run(p), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(run(p, 8, kWorkspace - 1), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(run(p, 8, 0), CUBLAS_STATUS_INVALID_VALUE);
  Product two = p;
  two.count = 2;
  EXPECT_EQ(run(two), CUBLAS_STATUS_INVALID_VALUE) << "one for each matrix";
}

// ---- luge's use of it ---------------------------------------------------------------------------

luge::Tensor random(std::initializer_list<std::int64_t> shape, luge::DType dtype = luge::float32) {
  return 2 * luge::rand(luge::Shape(shape), {.dtype = dtype, .device = luge::Device::cuda()}) - 1;
}

bool same(const luge::Tensor& a, const luge::Tensor& b) {
  return a.to(luge::float32).flatten().to_vector<float>() == b.to(luge::float32).flatten().to_vector<float>();
}

/// The largest distance of a product from that of float64 on the CPU.
double error(const luge::Tensor& product, const luge::Tensor& a, const luge::Tensor& b) {
  const luge::Device cpu = luge::Device::cpu();
  const luge::Tensor exact = matmul(a.to(cpu).to(luge::float64), b.to(cpu).to(luge::float64));
  return (product.to(cpu).to(luge::float64) - exact).abs().max().item<double>();
}

TEST(LargeProductTest, AnAlgorithmIsLookedForOnceForEveryShape) {
  const luge::Tensor a = random({3, 131, 137}), b = random({3, 137, 139}), first = random({131, 137}),
                     second = random({137, 139});
  luge::matmul(a, b);
  luge::matmul(first, second);
  const auto before = cublas::statistics();
  for (int i = 0; i < 5; ++i) {
    luge::matmul(a, b);
    luge::matmul(first, second);
  }
  EXPECT_EQ(cublas::statistics().searches, before.searches);
  EXPECT_EQ(cublas::statistics().products, before.products + 10);
  luge::matmul(a.transpose(1, 2), b.slice(1, 0, 131));
  EXPECT_EQ(cublas::statistics().searches, before.searches + 1) << "another shape";
}

/// The stand-in prefers another algorithm for a batch; and ten workspaces of the one that it has for a single product
/// are more than there are.
TEST(LargeProductTest, MembersOfABatchHaveTheBitsTheyHaveAlone) {
  for (const std::int64_t count : {2, 10}) {
    const luge::Tensor a = random({count, 5, 600}), b = random({600, 3});
    const auto before = cublas::statistics();
    const luge::Tensor together = luge::matmul(a, b.expand({count, 600, 3}));
    EXPECT_EQ(cublas::statistics().products - before.products, count == 2 ? 1u : 10u);
    for (std::int64_t i = 0; i < count; ++i)
      EXPECT_TRUE(same(together.select(0, i), luge::matmul(a.select(0, i), b))) << i << " of " << count;
  }
}

TEST(LargeProductTest, WithoutAnAlgorithmOurOwnKernelMultiplies) {
  for (const luge::DType dtype : {luge::float32, luge::float64}) {
    const luge::Tensor a = random({2, 133, 141}, dtype), b = random({2, 141, 150}, dtype);
    const double tolerance = dtype == luge::float32 ? 1e-5 : 1e-13;
    cublas::set_without_algorithms(true);
    const auto before = cublas::statistics();
    const luge::Tensor product = luge::matmul(a, b), wide = luge::matmul(a.transpose(1, 2), a);
    const auto after = cublas::statistics();
    cublas::set_without_algorithms(false);
    EXPECT_EQ(after.products, before.products);
    EXPECT_LT(error(product, a, b), tolerance);
    EXPECT_LT(error(wide, a.transpose(1, 2), a), 10 * tolerance) << "sums of squares, up to 50";
  }
}

// ---- a layer's bias, read by its product ----------------------------------------------------------

/// A layer beyond luge's own kernel, for rows of all sets or of each.
struct LayerCase {
  std::int64_t sets, rows, in, out;
  luge::DType dtype = luge::float32;
};

/// NaN and the signs of zeros count.
std::vector<std::uint64_t> bits(const luge::Tensor& tensor) {
  std::vector<std::uint64_t> result;
  for (const double value : tensor.detach().flatten().to_vector<double>())
    result.push_back(std::bit_cast<std::uint64_t>(value));
  return result;
}

struct Captured {
  std::vector<std::uint64_t> eager, replayed;
  std::uint64_t onto;      ///< products that read the bias where it lies, of a plan
  std::uint64_t launches;  ///< of a replay
};

/// relu(linear(x, weight, bias)) into a tensor that stays, captured; `change` is called before the replay.
Captured capture_layer(const luge::Tensor& x, const luge::Tensor& weight, const luge::Tensor& bias,
                       const std::function<void()>& change = {}) {
  luge::Tensor kept = luge::zeros_like(luge::linear(x, weight, bias));
  auto step = luge::capture([&] { kept.copy_(luge::relu(luge::linear(x, weight, bias))); });
  const auto before = cublas::statistics();
  step();
  Captured result{.eager = {}, .replayed = {}, .onto = cublas::statistics().onto - before.onto, .launches = 0};
  if (change) change();
  const auto launches = runtime::statistics().launches;
  step();
  result.launches = runtime::statistics().launches - launches;
  step.run(3);
  result.replayed = bits(kept);
  result.eager = bits(luge::relu(luge::linear(x, weight, bias)));
  return result;
}

/// Numbers of which some are not finite, some are zeros with a sign.
luge::Tensor with_specials(luge::Tensor tensor) {
  const double specials[] = {std::nan(""), HUGE_VAL, -HUGE_VAL, -0.0, 0.0};
  for (std::int64_t i = 0; i < 5 && 3 * i < tensor.size(-1); ++i) tensor.slice(-1, 3 * i, 3 * i + 1).fill_(specials[i]);
  return tensor;
}

/// What a layer reads.
struct Layer {
  luge::Tensor x, weight, bias;

  explicit Layer(const LayerCase& of) {
    const auto shape = [&](std::int64_t rows, std::int64_t columns) {
      luge::Shape result;
      if (of.sets > 0) result.push_back(of.sets);
      if (rows > 0) result.push_back(rows);
      result.push_back(columns);
      return result;
    };
    const luge::TensorOptions options{.dtype = of.dtype, .device = luge::Device::cuda()};
    x = luge::randn(shape(of.rows, of.in), options);
    x.slice(-2, 0, 1).fill_(-0.0);
    weight = luge::randn(shape(of.out, of.in), options);
    bias = with_specials(luge::randn(shape(0, of.out), options));
  }
};

TEST(LayerTest, ItsProductReadsTheBiasWhereItLies) {
  for (const LayerCase& of : {LayerCase{0, 150, 140, 131}, {0, 1, 600, 132}, {0, 150, 140, 131, luge::float64},
                              {3, 140, 150, 132}, {2, 5, 600, 133, luge::float64}}) {
    SCOPED_TRACE(::testing::Message() << of.sets << " sets, " << of.rows << ", " << of.in << ", " << of.out);
    Layer layer(of);
    const Captured one = capture_layer(layer.x, layer.weight, layer.bias, [&] { layer.bias.mul_(-0.5); });
    EXPECT_GT(one.onto, 0u);
    EXPECT_EQ(one.replayed, one.eager);
  }
}

TEST(LayerTest, WithoutSuchAnAlgorithmTheBiasIsCopiedFirst) {
  const Layer with({0, 151, 140, 131}), without({0, 152, 140, 131});
  const Captured onto = capture_layer(with.x, with.weight, with.bias);
  cublas::set_in_place_only(true);
  const Captured copied = capture_layer(without.x, without.weight, without.bias);
  cublas::set_in_place_only(false);
  EXPECT_EQ(onto.onto, 1u);
  EXPECT_EQ(copied.onto, 0u);
  EXPECT_EQ(copied.replayed, copied.eager);
  EXPECT_EQ(copied.launches, onto.launches + 1) << "the copy";
}

/// One after the other, where a batch needs more workspace than there is: each begins from its own set's bias.
TEST(LayerTest, MembersThatAreMultipliedAloneReadTheirOwnBias) {
  const Layer layer({10, 5, 600, 132});
  const Captured captured = capture_layer(layer.x, layer.weight, layer.bias);
  EXPECT_EQ(captured.onto, 10u);
  EXPECT_EQ(captured.replayed, captured.eager);
}

TEST(LayerTest, AnotherLayoutOfItsFactorsChangesNothing) {
  const Layer layer({0, 150, 140, 131}), wide({0, 140, 150, 140});
  const Captured turned = capture_layer(wide.x.transpose(0, 1), layer.weight, layer.bias);
  EXPECT_EQ(turned.onto, 1u) << "columns of x are contiguous";
  EXPECT_EQ(turned.replayed, turned.eager);
  const luge::Tensor spaced = luge::randn({150, 280}, {.device = luge::Device::cuda()}).slice(1, 0, 280, 2);
  const Captured packed = capture_layer(spaced, layer.weight, layer.bias);
  EXPECT_EQ(packed.onto, 0u) << "no element of x is next to another";
  EXPECT_EQ(packed.replayed, packed.eager);
}

/// The algorithm was chosen for addresses that are multiples of 16 bytes, and the bias's is none.
TEST(LayerTest, ABiasOfLessAlignmentIsCopied) {
  const Layer layer({0, 150, 140, 132}), wider({0, 150, 140, 140});
  const Captured captured = capture_layer(layer.x, layer.weight, wider.bias.slice(0, 1, 133));
  EXPECT_EQ(captured.onto, 0u);
  EXPECT_EQ(captured.replayed, captured.eager);
}

/// Two layers of one width: one chain copies both biases, and nothing is left of it.
TEST(LayerTest, SeveralBiasesOfOneStepAreReadByTheirProducts) {
  const Layer first({0, 150, 140, 131}), second({0, 150, 131, 131});
  const luge::Tensor rows = luge::randn({150, 131}, {.device = luge::Device::cuda()});
  luge::Tensor kept = luge::zeros_like(rows);
  const auto body = [&] {
    const luge::Tensor hidden = luge::relu(luge::linear(first.x, first.weight, luge::randn_like(first.bias)));
    return luge::linear(hidden, second.weight, second.bias) * 2 + luge::linear(rows, second.weight, second.bias);
  };
  luge::manual_seed(3);
  for (int i = 0; i < 3; ++i) kept.copy_(body());
  const auto eager = bits(kept);
  luge::manual_seed(3);
  const auto before = cublas::statistics();
  auto step = luge::capture([&] { kept.copy_(body()); });
  for (int i = 0; i < 3; ++i) step();
  EXPECT_EQ(bits(kept), eager);
  EXPECT_EQ(cublas::statistics().onto - before.onto, 3u);
}

/// Its one column's rows would have to repeat, which cuBLASLt has no word for.
TEST(LayerTest, ABiasOfOneOutputIsCopied) {
  const Layer layer({0, 600, 784, 1});
  const Captured captured = capture_layer(layer.x, layer.weight, layer.weight.slice(1, 0, 1).select(1, 0));
  EXPECT_EQ(captured.onto, 0u);
  EXPECT_EQ(captured.replayed, captured.eager);
}

/// Restores the precision.
class PrecisionTest : public ::testing::Test {
 protected:
  ~PrecisionTest() override { luge::set_float32_matmul_precision(luge::MatmulPrecision::Highest); }
};

TEST_F(PrecisionTest, Tf32IsUsedWhereItIsAllowed) {
  const luge::Tensor a = random({130, 140}), b = random({140, 150});
  ASSERT_EQ(luge::float32_matmul_precision(), luge::MatmulPrecision::Highest);
  const auto with = [&](luge::MatmulPrecision precision, const luge::Tensor& x, const luge::Tensor& y) {
    luge::set_float32_matmul_precision(precision);
    const auto before = cublas::statistics();
    const double far = error(luge::matmul(x, y), x, y);
    return std::pair(cublas::statistics().tf32 - before.tf32, far);
  };
  constexpr double kRounding = 1e-5;
  const auto [none, exact] = with(luge::MatmulPrecision::Highest, a, b);
  EXPECT_EQ(none, 0u);
  EXPECT_LT(exact, kRounding);
  for (const auto precision : {luge::MatmulPrecision::High, luge::MatmulPrecision::Medium}) {
    const auto [some, rounded] = with(precision, a, b);
    EXPECT_EQ(some, 1u);
    EXPECT_GT(rounded, kRounding);
    EXPECT_LT(rounded, 1e-2);
  }
  const auto [wide, small_error] = with(luge::MatmulPrecision::High, a.to(luge::float64), b.to(luge::float64));
  EXPECT_EQ(wide, 0u) << "float64";
  EXPECT_LT(small_error, 1e-13);
  const luge::Tensor little = random({16, 16});
  const auto [small, own] = with(luge::MatmulPrecision::High, little, little);
  EXPECT_EQ(small, 0u) << "our own kernel";
  EXPECT_LT(own, kRounding);
}

TEST_F(PrecisionTest, ALayerThatTakesTf32ReadsItsBiasInPlace) {
  const Layer layer({0, 150, 140, 131});
  luge::set_float32_matmul_precision(luge::MatmulPrecision::High);
  const auto before = cublas::statistics();
  const Captured captured = capture_layer(layer.x, layer.weight, layer.bias);
  const auto after = cublas::statistics();
  EXPECT_EQ(captured.onto, 1u);
  EXPECT_EQ(after.tf32 - before.tf32, after.products - before.products);
  EXPECT_EQ(captured.replayed, captured.eager);
}

/// A half has 11 bits at most, as TF32 has: nothing is lost.
TEST_F(PrecisionTest, HalvesTakeTf32AndLoseNothing) {
  for (const luge::DType dtype : {luge::float16, luge::bfloat16}) {
    const luge::Tensor a = random({130, 140}).to(dtype), b = random({140, 150}).to(dtype);
    const auto before = cublas::statistics();
    const luge::Tensor product = luge::matmul(a, b);
    EXPECT_EQ(cublas::statistics().tf32, before.tf32 + 1);
    const luge::Tensor exact = luge::matmul(a.to(luge::float32), b.to(luge::float32));
    EXPECT_TRUE(same(product, exact.to(dtype)));
  }
}

TEST_F(PrecisionTest, ACapturedStepKeepsThePrecisionOfItsCapture) {
  const luge::Tensor a = random({130, 140}), b = random({140, 150});
  luge::Tensor out = luge::zeros({130, 150}, {.device = luge::Device::cuda()});
  luge::set_float32_matmul_precision(luge::MatmulPrecision::High);
  auto step = luge::capture([&] { out.copy_(luge::matmul(a, b)); });
  step();
  const luge::Tensor first = out.clone();
  luge::set_float32_matmul_precision(luge::MatmulPrecision::Highest);
  step();
  EXPECT_TRUE(same(out, first));
  EXPECT_FALSE(same(luge::matmul(a, b), first));
}

}  // namespace
}  // namespace simt::test
