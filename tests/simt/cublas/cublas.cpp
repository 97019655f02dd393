// A stand-in for cuBLASLt, built as the library that luge opens at run time: plain loops, and every argument
// checked as the documentation demands. It has two algorithms, whose results differ in their last bits as those of a
// real library do. A long single product is split in two along k, which takes a workspace for every matrix.

#include "simt/cublas/cublas.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>

#include <cublasLt.h>

#include "simt/runtime/runtime.h"

struct cublasLtContext {};
struct cublasLtMatmulDescOpaque_t {
  cublasComputeType_t compute;
  cudaDataType_t scale;
  cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
};
struct cublasLtMatrixLayoutOpaque_t {
  cudaDataType type;
  std::int64_t rows, columns, leading;
  std::int32_t count = 1;
  std::int64_t step = 0;
};
struct cublasLtMatmulPreferenceOpaque_t {
  std::uint64_t workspace_bytes = 0;
  std::uint32_t alignment[4] = {256, 256, 256, 256};
};

namespace {

constexpr std::uint64_t kMade = 0x6c75676562706173;        // in an algorithm that comes from here
constexpr std::int64_t kSplitFrom = 256;                   // terms
constexpr std::size_t kSplitBytes = std::size_t{4} << 20;  // of workspace for a matrix, more than its elements need

std::atomic<bool> without_algorithms{false}, in_place_only{false};
std::atomic<std::uint64_t> searches{0}, products{0}, tf32_products{0}, onto_products{0};

/// What an algorithm was made for: the fields of cublasLtMatmulAlgo_t.
struct Algorithm {
  std::uint64_t made, split, compute, m, n, k;
  std::uint32_t alignment[4];
};
static_assert(sizeof(Algorithm) == sizeof(cublasLtMatmulAlgo_t));

/// A batch of matrices stored column by column.
template <class T>
struct Matrices {
  T* data;
  std::int64_t rows, columns, leading, step;

  T* begin(std::int64_t count) const { return data + std::min<std::int64_t>(0, (count - 1) * step); }
  T* end(std::int64_t count) const {
    return data + std::max<std::int64_t>(0, (count - 1) * step) + (columns - 1) * leading + rows;
  }
  bool is_accessible(std::int64_t count) const {
    return simt::runtime::is_accessible(begin(count), static_cast<std::size_t>(end(count) - begin(count)) * sizeof(T));
  }
  T& at(std::int64_t matrix, std::int64_t row, std::int64_t column) const {
    return data[matrix * step + column * leading + row];
  }
};

std::size_t width(cudaDataType type) { return type == CUDA_R_32F ? 4 : 8; }

bool is_aligned(const void* data, const cublasLtMatrixLayoutOpaque_t& layout, std::uint32_t alignment) {
  const std::size_t bytes = width(layout.type);
  return reinterpret_cast<std::uintptr_t>(data) % alignment == 0 &&
         (layout.columns == 1 || static_cast<std::size_t>(layout.leading) * bytes % alignment == 0) &&
         (layout.count == 1 || static_cast<std::size_t>(std::llabs(layout.step)) * bytes % alignment == 0);
}

/// Whether the descriptors fit each other. Out of place, c may have one column for all: its leading dimension is 0.
bool is_valid(const cublasLtMatmulDescOpaque_t& operation, const cublasLtMatrixLayoutOpaque_t& a,
              const cublasLtMatrixLayoutOpaque_t& b, const cublasLtMatrixLayoutOpaque_t& c,
              const cublasLtMatrixLayoutOpaque_t& d) {
  const bool wide = operation.compute == CUBLAS_COMPUTE_64F;
  for (const cublasLtMatrixLayoutOpaque_t* const layout : {&a, &b, &c, &d}) {
    if (layout->type != (wide ? CUDA_R_64F : CUDA_R_32F) || layout->count != a.count) return false;
    const bool broadcasts = layout == &c && &c != &d && layout->leading == 0;
    if (layout->leading < layout->rows && !broadcasts) return false;
  }
  const bool turn_a = operation.a != CUBLAS_OP_N, turn_b = operation.b != CUBLAS_OP_N;
  const std::int64_t k = turn_a ? a.rows : a.columns;
  const bool overlap = d.count > 1 && std::llabs(d.step) < (d.columns - 1) * d.leading + d.rows;
  return operation.scale == (wide ? CUDA_R_64F : CUDA_R_32F) && (turn_a ? a.columns : a.rows) == d.rows &&
         (turn_b ? b.rows : b.columns) == d.columns && (turn_b ? b.columns : b.rows) == k && c.rows == d.rows &&
         c.columns == d.columns && !overlap;
}

std::size_t workspace_of(const Algorithm& algorithm, std::int64_t count) {
  return algorithm.split != 0 ? kSplitBytes * static_cast<std::size_t>(count) : 0;
}

/// Rounded to TF32's 11 bits, to the nearest, ties away from zero.
float to_tf32(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7F800000u) == 0x7F800000u) return x;
  return std::bit_cast<float>((bits + 0x1000u) & ~0x1FFFu);
}
double to_tf32(double x) { return x; }

template <class T>
cublasStatus_t multiply(const cublasLtMatmulDescOpaque_t& operation, const Algorithm& algorithm, const void* alpha,
                        const void* a_data, const cublasLtMatrixLayoutOpaque_t& a_layout, const void* b_data,
                        const cublasLtMatrixLayoutOpaque_t& b_layout, const void* beta, const void* c_data,
                        const cublasLtMatrixLayoutOpaque_t& c_layout, void* d_data,
                        const cublasLtMatrixLayoutOpaque_t& d_layout, cudaStream_t stream) {
  const auto matrices = [](auto* data, const cublasLtMatrixLayoutOpaque_t& x) {
    return Matrices<std::remove_pointer_t<decltype(data)>>{data, x.rows, x.columns, x.leading, x.step};
  };
  const auto a = matrices(static_cast<const T*>(a_data), a_layout),
             b = matrices(static_cast<const T*>(b_data), b_layout);
  const auto c = matrices(static_cast<const T*>(c_data), c_layout);
  const auto d = matrices(static_cast<T*>(d_data), d_layout);
  const std::int64_t count = d_layout.count, m = d_layout.rows, n = d_layout.columns;
  if (!a.is_accessible(count) || !b.is_accessible(count) || !c.is_accessible(count) || !d.is_accessible(count))
    return CUBLAS_STATUS_INVALID_VALUE;
  const bool in_place = c_data == d_data;
  const bool apart = c.end(count) <= d.begin(count) || d.end(count) <= c.begin(count);
  if (in_place ? &c_layout != &d_layout : !apart) return CUBLAS_STATUS_INVALID_VALUE;
  const bool turn_a = operation.a != CUBLAS_OP_N, turn_b = operation.b != CUBLAS_OP_N;
  const std::int64_t k = turn_a ? a.rows : a.columns, half = algorithm.split != 0 ? k / 2 : k;
  const bool tf32 = operation.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  const auto run = [=, scale = *static_cast<const T*>(alpha), keep = *static_cast<const T*>(beta)] {
    const auto round = [tf32](T x) { return tf32 ? to_tf32(x) : x; };
    const auto sum = [&](std::int64_t matrix, std::int64_t row, std::int64_t column, std::int64_t from,
                         std::int64_t to) {
      T total = 0;
      for (std::int64_t l = from; l < to; ++l)
        total += round(turn_a ? a.at(matrix, l, row) : a.at(matrix, row, l)) *
                 round(turn_b ? b.at(matrix, column, l) : b.at(matrix, l, column));
      return total;
    };
    for (std::int64_t matrix = 0; matrix < count; ++matrix)
      for (std::int64_t column = 0; column < n; ++column)
        for (std::int64_t row = 0; row < m; ++row) {
          T total = sum(matrix, row, column, 0, half);
          if (half < k) total += sum(matrix, row, column, half, k);
          // beta 0: c is not read
          d.at(matrix, row, column) = keep == T(0) ? scale * total : scale * total + keep * c.at(matrix, row, column);
        }
  };
  if (simt::runtime::submit(run, stream) != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
  ++products;
  if (tf32) ++tf32_products;
  if (!in_place) ++onto_products;
  return CUBLAS_STATUS_SUCCESS;
}

template <class T>
bool read(T& target, const void* value, std::size_t bytes) {
  if (!value || bytes != sizeof(T)) return false;
  target = *static_cast<const T*>(value);
  return true;
}
cublasStatus_t status(bool fits) { return fits ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE; }

}  // namespace

namespace simt::cublas {

void set_without_algorithms(bool without) { without_algorithms = without; }
void set_in_place_only(bool in_place) { in_place_only = in_place; }
Statistics statistics() { return {searches, products, tf32_products, onto_products}; }

}  // namespace simt::cublas

extern "C" {

SIMT_API cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}

SIMT_API cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

SIMT_API std::size_t cublasLtGetVersion() { return 130000; }

SIMT_API const char* cublasLtGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_INVALID_VALUE ? "an argument of the product is not allowed"
                                               : "the product was not run";
}

SIMT_API cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* operation, cublasComputeType_t compute,
                                                 cudaDataType_t scale) {
  *operation = new cublasLtMatmulDescOpaque_t{compute, scale};
  return CUBLAS_STATUS_SUCCESS;
}

SIMT_API cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
  delete operation;
  return CUBLAS_STATUS_SUCCESS;
}

SIMT_API cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation,
                                                       cublasLtMatmulDescAttributes_t attribute, const void* value,
                                                       std::size_t bytes) {
  return status(read(attribute == CUBLASLT_MATMUL_DESC_TRANSA ? operation->a : operation->b, value, bytes));
}

SIMT_API cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                                   std::uint64_t rows, std::uint64_t columns, std::int64_t leading) {
  const auto height = static_cast<std::int64_t>(rows);
  if (rows == 0 || columns == 0 || leading < 0) return CUBLAS_STATUS_INVALID_VALUE;
  *layout = new cublasLtMatrixLayoutOpaque_t{type, height, static_cast<std::int64_t>(columns), leading};
  return CUBLAS_STATUS_SUCCESS;
}

SIMT_API cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

SIMT_API cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                         cublasLtMatrixLayoutAttribute_t attribute, const void* value,
                                                         std::size_t bytes) {
  if (attribute == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET) return status(read(layout->step, value, bytes));
  return status(read(layout->count, value, bytes) && layout->count > 0);
}

SIMT_API cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new cublasLtMatmulPreferenceOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}

SIMT_API cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}

SIMT_API cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                             cublasLtMatmulPreferenceAttributes_t attribute,
                                                             const void* value, std::size_t bytes) {
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
    return status(read(preference->workspace_bytes, value, bytes));
  return status(read(preference->alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes));
}

SIMT_API cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                                       cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                                       cublasLtMatmulPreference_t preference, int wanted,
                                                       cublasLtMatmulHeuristicResult_t results[], int* found) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (wanted < 1 || !is_valid(*operation, *a, *b, *c, *d)) return CUBLAS_STATUS_INVALID_VALUE;
  ++searches;
  *found = 0;
  if (without_algorithms) return CUBLAS_STATUS_NOT_SUPPORTED;
  const std::int64_t k = operation->a != CUBLAS_OP_N ? a->rows : a->columns;
  const bool split = d->count == 1 && k >= kSplitFrom && preference->workspace_bytes >= kSplitBytes;
  Algorithm algorithm{kMade,
                      split ? 1u : 0u,
                      operation->compute,
                      static_cast<std::uint64_t>(c->rows),
                      static_cast<std::uint64_t>(c->columns),
                      static_cast<std::uint64_t>(k),
                      {}};
  std::copy_n(preference->alignment, 4, algorithm.alignment);
  results[0] = {
      std::bit_cast<cublasLtMatmulAlgo_t>(algorithm), workspace_of(algorithm, c->count), CUBLAS_STATUS_SUCCESS, 1, {}};
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

SIMT_API cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                                cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                                cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                                const cublasLtMatmulAlgo_t* algorithm,
                                                cublasLtMatmulHeuristicResult_t* result) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (!is_valid(*operation, *a, *b, *c, *d)) return CUBLAS_STATUS_INVALID_VALUE;
  if (in_place_only && c != d) return CUBLAS_STATUS_NOT_SUPPORTED;
  const auto made = std::bit_cast<Algorithm>(*algorithm);
  const std::int64_t k = operation->a != CUBLAS_OP_N ? a->rows : a->columns;
  if (made.made != kMade || made.compute != static_cast<std::uint64_t>(operation->compute) ||
      made.m != static_cast<std::uint64_t>(c->rows) || made.n != static_cast<std::uint64_t>(c->columns) ||
      made.k != static_cast<std::uint64_t>(k))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  *result = {*algorithm, workspace_of(made, c->count), CUBLAS_STATUS_SUCCESS, 1, {}};
  return CUBLAS_STATUS_SUCCESS;
}

SIMT_API cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void* alpha,
                                       const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                                       cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                                       cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                                       const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                                       std::size_t workspace_bytes, cudaStream_t stream) {
  cublasLtMatmulHeuristicResult_t needs{};
  const cublasStatus_t checked =
      cublasLtMatmulAlgoCheck(handle, operation, a_layout, b_layout, c_layout, d_layout, algorithm, &needs);
  if (checked != CUBLAS_STATUS_SUCCESS) return checked;
  const auto made = std::bit_cast<Algorithm>(*algorithm);
  const bool has_workspace = workspace_bytes == 0 || (reinterpret_cast<std::uintptr_t>(workspace) % 256 == 0 &&
                                                      simt::runtime::is_accessible(workspace, workspace_bytes));
  if (!has_workspace || needs.workspaceSize > workspace_bytes ||
      !is_aligned(a, *a_layout, made.alignment[0]) || !is_aligned(b, *b_layout, made.alignment[1]) ||
      !is_aligned(c, *c_layout, made.alignment[2]) || !is_aligned(d, *d_layout, made.alignment[3]))
    return CUBLAS_STATUS_INVALID_VALUE;
  const auto run = a_layout->type == CUDA_R_32F ? multiply<float> : multiply<double>;
  return run(*operation, made, alpha, a, *a_layout, b, *b_layout, beta, c, *c_layout, d, *d_layout, stream);
}

}  // extern "C"
