#include "blas.h"

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

/// What a product is, in descriptors. It is added to c, or to a matrix that lies otherwise.
class Description {
 public:
  Description(const BlasProduct& product, const BlasMatrix& before, std::int64_t count, const char* op)
      : op_(op), in_place_(before == product.c) {
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
    if (!in_place_) open(before_, type, before, product.m, product.n, count);
  }

  cublasLtMatmulDesc_t operation() const { return operation_.get(); }
  cublasLtMatrixLayout_t a() const { return a_.get(); }
  cublasLtMatrixLayout_t b() const { return b_.get(); }
  cublasLtMatrixLayout_t before() const { return in_place_ ? c_.get() : before_.get(); }
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
  bool in_place_;
  Owned<cublasLtMatmulDesc_t> operation_{cublas().destroy_operation};
  Layout a_{cublas().destroy_layout}, b_{cublas().destroy_layout}, before_{cublas().destroy_layout},
      c_{cublas().destroy_layout};
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

/// Whether the algorithm computes so many of the products in one call.
bool Blas::runs(const Choice& choice, const BlasProduct& product, const BlasMatrix& before, std::int64_t count,
                const char* op) const {
  const Description all(product, before, count, op);
  cublasLtMatmulHeuristicResult_t needs{};
  return cublas().check_algorithm(handle_, all.operation(), all.a(), all.b(), all.before(), all.c(), &choice.algorithm,
                                  &needs) == CUBLAS_STATUS_SUCCESS &&
         needs.state == CUBLAS_STATUS_SUCCESS && needs.workspaceSize <= workspace_bytes_;
}

/// An algorithm is looked for as if there were one matrix, so that each has the bits it has alone.
Blas::Choice Blas::choose(const BlasProduct& product, const char* op) const {
  const Description one(product, product.c, 1, op);
  const Preference preference(product, workspace_bytes_, op);
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  const cublasStatus_t status = cublas().find_algorithms(handle_, one.operation(), one.a(), one.b(), one.c(), one.c(),
                                                         preference.get(), 1, &result, &found);
  Choice choice;
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return choice;
  check(status, op, "cublasLtMatmulAlgoGetHeuristic");
  if (found == 0 || result.state != CUBLAS_STATUS_SUCCESS) return choice;
  choice.found = true;
  choice.algorithm = result.algo;
  choice.at_once = product.count > 1 && runs(choice, product, product.c, product.count, op);
  return choice;
}

Blas::Choice Blas::choice(const Context& context, const BlasProduct& product) {
  const std::scoped_lock lock(mutex_);
  open(context.op());
  auto place = choices_.find(product);
  if (place == choices_.end()) {
    if (choices_.size() == kMostChoices) choices_.clear();
    place = choices_.emplace(product, choose(product, context.op())).first;
  }
  return place->second;
}

/// The algorithm is that of the product itself, so that its bits are those of a copy to c and an accumulating product.
Blas::Choice Blas::choice(const Context& context, const BlasProduct& product, const BlasMatrix& before) {
  if (before.alignment < product.c.alignment) return {};
  Choice result = choice(context, product);
  const std::scoped_lock lock(mutex_);
  const std::pair key(product, before);
  if (const auto place = onto_.find(key); place != onto_.end()) return place->second;
  if (result.found) {
    result.at_once = result.at_once && runs(result, product, before, product.count, context.op());
    result.found = result.at_once || runs(result, product, before, 1, context.op());
  }
  if (onto_.size() == kMostChoices) onto_.clear();
  return onto_.emplace(key, result).first->second;
}

void Blas::queue(const Context& context, const Choice& choice, const BlasProduct& product, const std::byte* a,
                 const std::byte* b, const Addend& addend, std::byte* c) const {
  const std::int64_t at_once = choice.at_once ? product.count : 1;
  const std::int64_t width = product.wide ? 8 : 4;
  const Description description(product, addend.lies, at_once, context.op());
  const float one_float = 1, beta_float = addend.counts ? 1.0F : 0.0F;
  const double one_double = 1, beta_double = addend.counts ? 1.0 : 0.0;
  const void* const alpha = product.wide ? static_cast<const void*>(&one_double) : &one_float;
  const void* const beta = product.wide ? static_cast<const void*>(&beta_double) : &beta_float;
  for (std::int64_t i = 0; i < product.count; i += at_once) {
    check(cublas().matmul(handle_, description.operation(), alpha, a + i * product.a.step * width, description.a(),
                          b + i * product.b.step * width, description.b(), beta,
                          addend.data + i * addend.lies.step * width, description.before(),
                          c + i * product.c.step * width, description.c(), &choice.algorithm, workspace_,
                          workspace_bytes_, context.stream()),
          context.op(), "cublasLtMatmul");
  }
}

bool Blas::multiply(const Context& context, const BlasProduct& product, const std::byte* a, const std::byte* b,
                    std::byte* c, bool accumulate) {
  const Choice chosen = choice(context, product);
  if (chosen.found) queue(context, chosen, product, a, b, {product.c, c, accumulate}, c);
  return chosen.found;
}

bool Blas::takes_before(const Context& context, const BlasProduct& product, const BlasMatrix& before) {
  return choice(context, product, before).found;
}

void Blas::multiply_onto(const Context& context, const BlasProduct& product, const std::byte* a, const std::byte* b,
                         const BlasMatrix& before, const std::byte* before_data, std::byte* c) {
  queue(context, choice(context, product, before), product, a, b, {before, before_data, true}, c);
}

}  // namespace luge::cuda
