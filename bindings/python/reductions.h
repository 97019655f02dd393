#pragma once
// What the bindings of reductions share.

#include <fmt/format.h>

#include "out.h"
#include "python.h"
#include "results.h"

namespace luge::python {

/// Dimensions as Python gives them; nothing stands for all.
inline std::optional<DimList> dims_of(const char* op, nb::handle dim) {
  if (dim.is_none()) return std::nullopt;
  std::vector<int> dims = dimensions(op, dim);
  if (dims.empty()) return std::nullopt;
  return DimList(std::move(dims));
}

inline std::vector<int> all_dims(const Tensor& x) {
  std::vector<int> dims;
  for (int d = 0; d < x.ndim(); ++d) dims.push_back(d);
  return dims;
}

/// Dimensions of a reduction that may keep them: all of them where all are reduced and kept.
inline std::optional<DimList> kept_dims_of(const char* op, const Tensor& x, nb::handle dim, bool keepdim) {
  std::optional<DimList> dims = dims_of(op, dim);
  if (!dims && keepdim && x.ndim() > 0) dims = DimList(all_dims(x));
  return dims;
}

/// A reduction over everything or over some dimensions.
template <class All, class Some>
auto reduced(const char* op, const Tensor& x, nb::handle dim, bool keepdim, const All& all, const Some& some) {
  const std::optional<DimList> dims = kept_dims_of(op, x, dim, keepdim);
  const Unlocked unlocked(x);
  return dims ? some(x, *dims) : all(x);
}

/// One dimension, or TypeError.
inline int one_dim(const char* op, nb::handle dim) {
  const std::vector<int> dims = dimensions(op, dim);
  if (dims.size() != 1) throw TypeError(fmt::format("{}: dim must be one int", op));
  return dims[0];
}

inline Tensor cast(const Tensor& x, const std::optional<PyDType>& dtype) { return dtype ? x.to(dtype->value) : x; }

inline constexpr const char* kDim =
    "\n\n`dim`: an int or a tuple of ints; None: all. With `keepdim` reduced dimensions stay, of size 1.\n\n";
inline constexpr const char* kDTypeAndDim =
    "\n\n`dim`: an int or a tuple of ints; None: all. With `keepdim` reduced dimensions stay, of size 1. `dtype`: what the "
    "elements are converted to first, and the result's.\n\n";

void bind_statistics(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_norms(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_scans(nb::module_& m, nb::class_<Tensor>& tensor);

}  // namespace luge::python
