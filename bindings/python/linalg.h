#pragma once
// What the parts of linear algebra's binding share.

#include <fmt/format.h>

#include "out.h"
#include "python.h"

namespace luge::python {

/// work() without the interpreter's lock: factors take far longer than their elements say.
template <class Work>
auto unlocked(const Tensor& x, const Work& work) {
  const Unlocked guard(x.defined() && x.ndim() > 0 ? x.numel() * 8 : 0);
  return work();
}

/// A named tuple of tensors.
nb::object named(const char* type, const char* fields, std::vector<Tensor> values);
/// The same, or written into a tuple of tensors that the caller gives.
nb::object named_or_written(const char* op, const char* type, const char* fields, std::vector<Tensor> values, nb::handle out);

/// 'L' or 'U'.
bool is_upper(const char* op, const std::string& uplo);

void bind_norms(nb::module_& own);
/// torch.cholesky and the like, and methods.
void bind_linalg_names(nb::module_& m, nb::class_<Tensor>& tensor);

}  // namespace luge::python
