// The stand-in for cuBLAS: right results in every layout, and no argument that the real one would refuse.

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include <cublas_v2.h>

#include "simt/simt.h"

namespace simt::test {
namespace {

class CublasTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, 0), cudaSuccess);
    ASSERT_EQ(cublasCreate_v2(&handle_), CUBLAS_STATUS_SUCCESS);
    ASSERT_EQ(cublasSetStream_v2(handle_, stream_), CUBLAS_STATUS_SUCCESS);
    for (double*& data : data_) {
      void* memory = nullptr;
      ASSERT_EQ(cudaMallocAsync(&memory, kElements * sizeof(double), stream_), cudaSuccess);
      data = static_cast<double*>(memory);
    }
  }
  void TearDown() override {
    for (double* const data : data_) cudaFreeAsync(data, stream_);
    cudaStreamDestroy(stream_);
    cublasDestroy_v2(handle_);
  }

  cublasStatus_t gemm(cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m, std::int64_t n, std::int64_t k,
                      std::int64_t lda, long long stride_a, std::int64_t ldb, long long stride_b, std::int64_t ldc,
                      long long stride_c, std::int64_t count) {
    const double alpha = 2, beta = 0.5;
    return cublasDgemmStridedBatched_64(handle_, op_a, op_b, m, n, k, &alpha, data_[0], lda, stride_a, data_[1], ldb,
                                        stride_b, &beta, data_[2], ldc, stride_c, count);
  }

  static constexpr std::size_t kElements = 1000;
  cudaStream_t stream_ = nullptr;
  cublasHandle_t handle_ = nullptr;
  double* data_[3] = {};
};

TEST_F(CublasTest, MultipliesInEveryLayout) {
  std::mt19937_64 engine(1);
  std::uniform_real_distribution<> uniform(-1, 1);
  constexpr std::int64_t m = 3, n = 4, k = 5, count = 2, ld = 9, step = 60;
  std::vector<double> host[3];
  for (auto& values : host) {
    values.resize(kElements);
    for (double& value : values) value = uniform(engine);
  }
  for (const cublasOperation_t op_a : {CUBLAS_OP_N, CUBLAS_OP_T}) {
    for (const cublasOperation_t op_b : {CUBLAS_OP_N, CUBLAS_OP_T}) {
      for (int i = 0; i < 3; ++i)
        cudaMemcpyAsync(data_[i], host[i].data(), kElements * sizeof(double), cudaMemcpyHostToDevice, stream_);
      ASSERT_EQ(gemm(op_a, op_b, m, n, k, ld, step, ld, step, ld, step, count), CUBLAS_STATUS_SUCCESS);
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
              sum += (op_a == CUBLAS_OP_N ? at(0, row, l) : at(0, l, row)) *
                     (op_b == CUBLAS_OP_N ? at(1, l, column) : at(1, column, l));
            EXPECT_NEAR(result[static_cast<std::size_t>(matrix * step + column * ld + row)],
                        2 * sum + 0.5 * at(2, row, column), 1e-14);
          }
        }
      }
    }
  }
}

TEST_F(CublasTest, RefusesWhatTheRealOneRefuses) {
  constexpr auto kN = CUBLAS_OP_N, kT = CUBLAS_OP_T;
  EXPECT_EQ(gemm(kN, kN, 3, 4, 5, 3, 20, 5, 20, 3, 20, 2), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(gemm(kN, kN, 3, 4, 5, 2, 20, 5, 20, 3, 20, 2), CUBLAS_STATUS_INVALID_VALUE) << "lda";
  EXPECT_EQ(gemm(kT, kN, 3, 4, 5, 3, 20, 5, 20, 3, 20, 2), CUBLAS_STATUS_INVALID_VALUE) << "lda, transposed";
  EXPECT_EQ(gemm(kN, kN, 3, 4, 5, 3, 20, 4, 20, 3, 20, 2), CUBLAS_STATUS_INVALID_VALUE) << "ldb";
  EXPECT_EQ(gemm(kN, kN, 3, 4, 5, 3, 20, 5, 20, 2, 20, 2), CUBLAS_STATUS_INVALID_VALUE) << "ldc";
  EXPECT_EQ(gemm(kN, kN, -1, 4, 5, 3, 20, 5, 20, 3, 20, 2), CUBLAS_STATUS_INVALID_VALUE) << "m";
  EXPECT_EQ(gemm(kN, kN, 3, 4, 5, 3, 20, 5, 20, 3, 11, 2), CUBLAS_STATUS_INVALID_VALUE) << "results overlap";
  EXPECT_EQ(gemm(kN, kN, 3, 4, 5, 3, 990, 5, 20, 3, 20, 2), CUBLAS_STATUS_INVALID_VALUE) << "a beyond its memory";
  EXPECT_EQ(gemm(kN, kN, 3, 4, 5, 3, 20, 5, 20, 3, 20, 60), CUBLAS_STATUS_INVALID_VALUE) << "batch beyond memory";
  EXPECT_EQ(gemm(kN, kN, 0, 4, 5, 1, 20, 5, 20, 1, 20, 2), CUBLAS_STATUS_SUCCESS) << "nothing to do";
}

}  // namespace
}  // namespace simt::test
