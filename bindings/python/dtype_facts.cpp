// What is known of dtypes: which one comes of several, which can become which, and the numbers that they hold.

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <luge/ops/result_type.h>

#include "python.h"

namespace luge::python {

namespace {

struct FloatingFacts {
  DType dtype;
  int digits;          ///< of the significand, the leading one included
  int max_exponent;    ///< numbers are below 2^this
  double resolution;

  int bits() const { return static_cast<int>(size_of(dtype)) * 8; }
  double eps() const { return std::ldexp(1.0, 1 - digits); }
  double max() const { return std::ldexp(1 - std::ldexp(1.0, -digits), max_exponent); }
  double tiny() const { return std::ldexp(1.0, 3 - max_exponent - 1); }
};

FloatingFacts floating_facts(PyDType given) {
  switch (given.value) {
    case DType::Float16: return {given.value, 11, 16, 1e-3};
    case DType::BFloat16: return {given.value, 8, 128, 1e-2};
    case DType::Float32: return {given.value, 24, 128, 1e-6};
    case DType::Float64: return {given.value, 53, 1024, 1e-15};
    default: break;
  }
  throw DTypeError(fmt::format("finfo: dtype is {}; it must be a floating one", name(given.value)));
}

struct IntegerFacts {
  DType dtype;
  int bits() const { return static_cast<int>(size_of(dtype)) * 8; }
  std::int64_t max() const {
    return dtype == DType::UInt8 ? 255 : std::numeric_limits<std::int64_t>::max() >> (64 - bits());
  }
  std::int64_t min() const { return dtype == DType::UInt8 ? 0 : -max() - 1; }
};

IntegerFacts integer_facts(PyDType given) {
  if (!is_integral(given.value))
    throw DTypeError(fmt::format("iinfo: dtype is {}; it must be an integer one", name(given.value)));
  return {given.value};
}

/// A tensor, or a number.
void join(ResultType& result, const char* argument, nb::handle given) {
  if (is_tensor(given))
    result.join(as_tensor(given));
  else
    result.join(scalar("result_type", argument, given));
}

}  // namespace

void bind_dtype_facts(nb::module_& m, nb::class_<Tensor>& tensor) {
  nb::class_<FloatingFacts>(m, "finfo", "The numbers of a floating dtype. Raises DTypeError for another one.")
      .def(
          "__init__",
          [](FloatingFacts* self, std::optional<PyDType> dtype) {
            new (self) FloatingFacts(floating_facts(dtype.value_or(PyDType{DType::Float32})));
          },
          "type"_a = nb::none())
      .def_prop_ro("bits", &FloatingFacts::bits, "Bits of an element.")
      .def_prop_ro("eps", &FloatingFacts::eps, "The distance from 1 to the next number.")
      .def_prop_ro("max", &FloatingFacts::max, "The largest number.")
      .def_prop_ro(
          "min", [](const FloatingFacts& f) { return -f.max(); }, "The smallest number.")
      .def_prop_ro("tiny", &FloatingFacts::tiny, "The smallest normal number above 0.")
      .def_prop_ro("smallest_normal", &FloatingFacts::tiny, "The smallest normal number above 0.")
      .def_ro("resolution", &FloatingFacts::resolution, "The power of ten that decimal digits are right to.")
      .def_prop_ro(
          "dtype", [](const FloatingFacts& f) { return std::string(name(f.dtype)); }, "The dtype's name.")
      .def("__repr__", [](const FloatingFacts& f) {
        return fmt::format("finfo(resolution={:g}, min={:g}, max={:g}, eps={:g}, smallest_normal={:g}, tiny={:g}, dtype={})",
                           f.resolution, -f.max(), f.max(), f.eps(), f.tiny(), f.tiny(), name(f.dtype));
      });
  nb::class_<IntegerFacts>(m, "iinfo", "The numbers of an integer dtype. Raises DTypeError for another one.")
      .def(
          "__init__",
          [](IntegerFacts* self, PyDType dtype) { new (self) IntegerFacts(integer_facts(dtype)); }, "type"_a)
      .def_prop_ro("bits", &IntegerFacts::bits, "Bits of an element.")
      .def_prop_ro("max", &IntegerFacts::max, "The largest number.")
      .def_prop_ro("min", &IntegerFacts::min, "The smallest number.")
      .def_prop_ro(
          "dtype", [](const IntegerFacts& f) { return std::string(name(f.dtype)); }, "The dtype's name.")
      .def("__repr__", [](const IntegerFacts& f) {
        return fmt::format("iinfo(min={}, max={}, dtype={})", f.min(), f.max(), name(f.dtype));
      });
  m.def(
      "promote_types", [](PyDType a, PyDType b) { return dtype_object(promote(a.value, b.value)); }, "type1"_a, "type2"_a,
      nb::sig("def promote_types(type1: dtype, type2: dtype) -> dtype"),
      "The smallest dtype that both convert to.\n\n>>> luge.promote_types(luge.uint8, luge.int8)\nluge.int16");
  m.def(
      "result_type",
      [](nb::handle a, nb::handle b) {
        ResultType result;
        join(result, "tensor1", a);
        join(result, "tensor2", b);
        return dtype_object(result.dtype());
      },
      "tensor1"_a.none(), "tensor2"_a.none(),
      nb::sig("def result_type(tensor1: Tensor | float, tensor2: Tensor | float) -> dtype"),
      "The dtype of arithmetic with the two, tensors or numbers: tensors that have dimensions decide, others only raise "
      "the kind.\n\n>>> luge.result_type(luge.tensor([1, 2], dtype=luge.int32), 1.5)\nluge.float32");
  m.def(
      "can_cast", [](PyDType from, PyDType to) { return can_cast(from.value, to.value); }, "from_"_a, "to"_a,
      "Whether a result of one dtype can be written into a tensor of another: not floating numbers into integers or "
      "bool, nor integers into bool.\n\n>>> luge.can_cast(luge.float32, luge.int64)\nFalse");
  m.def("is_floating_point", [](const Tensor& x) { return is_floating(x.dtype()); }, "input"_a,
        "Whether the dtype is a floating one.\n\n>>> luge.is_floating_point(luge.zeros(2))\nTrue");
  m.def("is_complex", [](const Tensor&) { return false; }, "input"_a,
        "False: no dtype is complex.\n\n>>> luge.is_complex(luge.zeros(2))\nFalse");
  tensor.def("is_complex", [](const Tensor&) { return false; }, "False: no dtype is complex.");
  tensor.def(
      "is_signed", [](const Tensor& x) { return x.dtype() != DType::Bool && x.dtype() != DType::UInt8; },
      "Whether the dtype has negative numbers.");
}

}  // namespace luge::python
