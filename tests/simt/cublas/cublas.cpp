// A stand-in for cuBLAS, built as the library that luge opens at run time: plain loops, and every argument
// checked as the documentation of cublas<t>gemmStridedBatched demands.

#include <algorithm>
#include <cstdlib>

#include <cublas_v2.h>

#include "simt/runtime/runtime.h"

struct cublasContext {
  cudaStream_t stream = nullptr;
  bool has_workspace = false;  ///< one of the caller's
};

namespace {

/// A batch of matrices stored column by column, `rows` x `columns` as stored.
template <class T>
struct Matrices {
  T* data;
  std::int64_t rows, columns, leading;
  long long stride;

  bool is_valid(std::int64_t count) const {
    if (leading < std::max<std::int64_t>(1, rows)) return false;
    if (rows == 0 || columns == 0 || count == 0) return true;
    const std::int64_t last = (columns - 1) * leading + rows - 1;
    const std::int64_t low = std::min<std::int64_t>(0, (count - 1) * stride);
    const std::int64_t high = std::max<std::int64_t>(0, (count - 1) * stride) + last;
    return reinterpret_cast<std::uintptr_t>(data) % alignof(T) == 0 &&
           simt::runtime::is_accessible(data + low, static_cast<std::size_t>(high - low + 1) * sizeof(T));
  }
  /// Whether two matrices of the batch share an element.
  bool overlap(std::int64_t count) const {
    return count > 1 && rows > 0 && columns > 0 && std::llabs(stride) < (columns - 1) * leading + rows;
  }
  T& at(std::int64_t matrix, std::int64_t row, std::int64_t column) const {
    return data[matrix * stride + column * leading + row];
  }
};

template <class T>
cublasStatus_t gemm(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m,
                    std::int64_t n, std::int64_t k, const T* alpha, const T* a_data, std::int64_t lda,
                    long long stride_a, const T* b_data, std::int64_t ldb, long long stride_b, const T* beta,
                    T* c_data, std::int64_t ldc, long long stride_c, std::int64_t count) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  const bool turn_a = op_a != CUBLAS_OP_N, turn_b = op_b != CUBLAS_OP_N;
  if (m < 0 || n < 0 || k < 0 || count < 0) return CUBLAS_STATUS_INVALID_VALUE;
  const Matrices<const T> a{a_data, turn_a ? k : m, turn_a ? m : k, lda, stride_a};
  const Matrices<const T> b{b_data, turn_b ? n : k, turn_b ? k : n, ldb, stride_b};
  const Matrices<T> c{c_data, m, n, ldc, stride_c};
  if (!a.is_valid(count) || !b.is_valid(count) || !c.is_valid(count) || c.overlap(count))
    return CUBLAS_STATUS_INVALID_VALUE;
  // Without a workspace it would allocate one, which the stand-in's graphs cannot hold.
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  if (cudaStreamIsCapturing(handle->stream, &status) != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (status != cudaStreamCaptureStatusNone && !handle->has_workspace) return CUBLAS_STATUS_ALLOC_FAILED;
  const auto run = [=, scale = *alpha, keep = *beta] {
    for (std::int64_t matrix = 0; matrix < count; ++matrix)
      for (std::int64_t column = 0; column < n; ++column)
        for (std::int64_t row = 0; row < m; ++row) {
          T sum = 0;
          for (std::int64_t l = 0; l < k; ++l)
            sum += (turn_a ? a.at(matrix, l, row) : a.at(matrix, row, l)) *
                   (turn_b ? b.at(matrix, column, l) : b.at(matrix, l, column));
          T& place = c.at(matrix, row, column);
          place = keep == T(0) ? scale * sum : scale * sum + keep * place;  // beta 0: c is not read
        }
  };
  return simt::runtime::submit(run, handle->stream) == cudaSuccess ? CUBLAS_STATUS_SUCCESS
                                                                   : CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // namespace

extern "C" {

SIMT_API cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}

SIMT_API cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

SIMT_API cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  handle->has_workspace = false;  // back to its own, as the real one does
  return CUBLAS_STATUS_SUCCESS;
}

SIMT_API cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, std::size_t bytes) {
  const bool fits = reinterpret_cast<std::uintptr_t>(workspace) % 256 == 0 && simt::runtime::is_accessible(workspace, bytes);
  handle->has_workspace = fits;
  return fits ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

SIMT_API cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t) { return CUBLAS_STATUS_SUCCESS; }

SIMT_API cublasStatus_t cublasGetProperty(libraryPropertyType type, int* value) {
  *value = type == MAJOR_VERSION ? 13 : 0;
  return CUBLAS_STATUS_SUCCESS;
}

SIMT_API const char* cublasGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_INVALID_VALUE ? "an argument of the product is not allowed" : "the product was not run";
}

SIMT_API cublasStatus_t cublasSgemmStridedBatched_64(cublasHandle_t handle, cublasOperation_t op_a,
                                                     cublasOperation_t op_b, std::int64_t m, std::int64_t n,
                                                     std::int64_t k, const float* alpha, const float* a,
                                                     std::int64_t lda, long long stride_a, const float* b,
                                                     std::int64_t ldb, long long stride_b, const float* beta, float* c,
                                                     std::int64_t ldc, long long stride_c, std::int64_t count) {
  return gemm(handle, op_a, op_b, m, n, k, alpha, a, lda, stride_a, b, ldb, stride_b, beta, c, ldc, stride_c, count);
}

SIMT_API cublasStatus_t cublasDgemmStridedBatched_64(cublasHandle_t handle, cublasOperation_t op_a,
                                                     cublasOperation_t op_b, std::int64_t m, std::int64_t n,
                                                     std::int64_t k, const double* alpha, const double* a,
                                                     std::int64_t lda, long long stride_a, const double* b,
                                                     std::int64_t ldb, long long stride_b, const double* beta,
                                                     double* c, std::int64_t ldc, long long stride_c,
                                                     std::int64_t count) {
  return gemm(handle, op_a, op_b, m, n, k, alpha, a, lda, stride_a, b, ldb, stride_b, beta, c, ldc, stride_c, count);
}

}  // extern "C"
