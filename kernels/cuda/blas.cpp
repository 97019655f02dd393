#include "blas.h"

#include <utility>

#include "context.h"
#include "memory.h"

namespace luge::cuda {

namespace {

/// More kinds of products than a program trains with; beyond, choices are made anew.
constexpr std::size_t kMostChoices = 4096;

/// A descriptor of cuBLASLt's.
template <class Handle>
class Owned {
 public:
  explicit Owned(cublasStatus_t (*destroy)(Handle)) : destroy_(destroy) {}
  ~Owned() {
    if (handle_) destroy_(handle_);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;

  Handle* out() { return &handle_; }
  Handle get() const { return handle_; }

 private:
  Handle handle_ = nullptr;
  cublasStatus_t (*destroy_)(Handle);
};

/// What a product is, in descriptors.
class Description {
 public:
  Description(const BlasProduct& product, std::int64_t count, const char* op) : op_(op) {
    const Cublas& library = cublas();
    const cudaDataType_t type = product.wide ? CUDA_R_64F : CUDA_R_32F;
    const cublasComputeType_t compute = product.wide         ? CUBLAS_COMPUTE_64F
                                        : product.allow_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                             : CUBLAS_COMPUTE_32F;
    check(library.create_operation(operation_.out(), compute, type), op_, "cublasLtMatmulDescCreate");
    set_operation(CUBLASLT_MATMUL_DESC_TRANSA, product.a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    set_operation(CUBLASLT_MATMUL_DESC_TRANSB, product.b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    open(a_, type, product.a, product.m, product.k, count);
    open(b_, type, product.b, product.k, product.n, count);
    open(c_, type, product.c, product.m, product.n, count);
  }

  cublasLtMatmulDesc_t operation() const { return operation_.get(); }
  cublasLtMatrixLayout_t a() const { return a_.get(); }
  cublasLtMatrixLayout_t b() const { return b_.get(); }
  cublasLtMatrixLayout_t c() const { return c_.get(); }

 private:
  using Layout = Owned<cublasLtMatrixLayout_t>;

  void set_operation(cublasLtMatmulDescAttributes_t attribute, cublasOperation_t value) {
    check(cublas().set_operation(operation_.get(), attribute, &value, sizeof value), op_,
          "cublasLtMatmulDescSetAttribute");
  }

  void open(Layout& layout, cudaDataType_t type, const BlasMatrix& matrix, std::int64_t rows, std::int64_t columns,
            std::int64_t count) const {
    if (matrix.transposed) std::swap(rows, columns);
    check(cublas().create_layout(layout.out(), type, static_cast<std::uint64_t>(rows),
                                 static_cast<std::uint64_t>(columns), matrix.leading),
          op_, "cublasLtMatrixLayoutCreate");
    if (count == 1) return;
    set_layout(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(count));
    set_layout(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, matrix.step);
  }

  template <class T>
  void set_layout(Layout& layout, cublasLtMatrixLayoutAttribute_t attribute, T value) const {
    check(cublas().set_layout(layout.get(), attribute, &value, sizeof value), op_, "cublasLtMatrixLayoutSetAttribute");
  }

  const char* op_;
  Owned<cublasLtMatmulDesc_t> operation_{cublas().destroy_operation};
  Layout a_{cublas().destroy_layout}, b_{cublas().destroy_layout}, c_{cublas().destroy_layout};
};

/// What an algorithm may ask for.
class Preference {
 public:
  Preference(const BlasProduct& product, std::size_t workspace_bytes, const char* op) : op_(op) {
    check(cublas().create_preference(preference_.out()), op, "cublasLtMatmulPreferenceCreate");
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{workspace_bytes});
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, product.a.alignment);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, product.b.alignment);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, product.c.alignment);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, product.c.alignment);
  }

  cublasLtMatmulPreference_t get() const { return preference_.get(); }

 private:
  template <class T>
  void set(cublasLtMatmulPreferenceAttributes_t attribute, T value) {
    check(cublas().set_preference(preference_.get(), attribute, &value, sizeof value), op_,
          "cublasLtMatmulPreferenceSetAttribute");
  }

  const char* op_;
  Owned<cublasLtMatmulPreference_t> preference_{cublas().destroy_preference};
};

}  // namespace

void Blas::open(const char* op) {
  if (handle_) return;
  const Cublas& library = usable_cublas(op);
  if (!workspace_) workspace_ = memory_.allocate(workspace_bytes_);
  check(library.create(&handle_), op, "cublasLtCreate");
}

/// An algorithm is looked for as if there were one matrix, so that each has the bits it has alone.
Blas::Choice Blas::choose(const BlasProduct& product, const char* op) const {
  const Cublas& library = cublas();
  const Description one(product, 1, op);
  const Preference preference(product, workspace_bytes_, op);
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  const cublasStatus_t status = library.find_algorithms(handle_, one.operation(), one.a(), one.b(), one.c(), one.c(),
                                                        preference.get(), 1, &result, &found);
  Choice choice;
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return choice;
  check(status, op, "cublasLtMatmulAlgoGetHeuristic");
  if (found == 0 || result.state != CUBLAS_STATUS_SUCCESS) return choice;
  choice.found = true;
  choice.algorithm = result.algo;
  if (product.count == 1) return choice;
  const Description all(product, product.count, op);
  cublasLtMatmulHeuristicResult_t needs{};
  choice.at_once = library.check_algorithm(handle_, all.operation(), all.a(), all.b(), all.c(), all.c(),
                                           &choice.algorithm, &needs) == CUBLAS_STATUS_SUCCESS &&
                   needs.state == CUBLAS_STATUS_SUCCESS && needs.workspaceSize <= workspace_bytes_;
  return choice;
}

bool Blas::multiply(const Context& context, const BlasProduct& product, const std::byte* a, const std::byte* b,
                    std::byte* c, bool accumulate) {
  Choice choice;
  {
    const std::scoped_lock lock(mutex_);
    open(context.op());
    auto place = choices_.find(product);
    if (place == choices_.end()) {
      if (choices_.size() == kMostChoices) choices_.clear();
      place = choices_.emplace(product, choose(product, context.op())).first;
    }
    choice = place->second;
  }
  if (!choice.found) return false;
  const std::int64_t at_once = choice.at_once ? product.count : 1;
  const std::int64_t width = product.wide ? 8 : 4;
  const Description description(product, at_once, context.op());
  const float one_float = 1, beta_float = accumulate ? 1.0F : 0.0F;
  const double one_double = 1, beta_double = accumulate ? 1.0 : 0.0;
  const void* const alpha = product.wide ? static_cast<const void*>(&one_double) : &one_float;
  const void* const beta = product.wide ? static_cast<const void*>(&beta_double) : &beta_float;
  for (std::int64_t i = 0; i < product.count; i += at_once) {
    std::byte* const place = c + i * product.c.step * width;
    check(cublas().matmul(handle_, description.operation(), alpha, a + i * product.a.step * width, description.a(),
                          b + i * product.b.step * width, description.b(), beta, place, description.c(), place,
                          description.c(), &choice.algorithm, workspace_, workspace_bytes_, context.stream()),
          context.op(), "cublasLtMatmul");
  }
  return true;
}

}  // namespace luge::cuda
