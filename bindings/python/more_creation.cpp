// Tensors like another one, and numbers apart by a factor.

#include <fmt/format.h>

#include "creation.h"
#include "out.h"

namespace luge::python {

namespace {

using Factory = Tensor (*)(const Shape&, TensorOptions);

Tensor finished(Tensor tensor, bool requires_grad) {
  if (requires_grad) tensor.requires_grad_();
  return tensor;
}

TensorOptions like(const Tensor& x, std::optional<PyDType> dtype, std::optional<DeviceArgument> device) {
  return {.dtype = dtype ? dtype->value : x.dtype(), .device = device ? Device(*device) : x.device()};
}

constexpr const char* kOptions =
    "*, dtype: dtype | None = None, device: device | str | None = None, requires_grad: bool = False) -> Tensor";

void def_new(nb::class_<Tensor>& tensor, const char* name, Factory make, const char* text) {
  tensor.def(
      name,
      [name, make](const Tensor& x, const nb::args& given, nb::handle size, std::optional<PyDType> dtype,
                   std::optional<DeviceArgument> device, bool requires_grad) {
        if (given.size() > 0 && !size.is_none()) throw TypeError(fmt::format("{}: size is given twice", name));
        if (given.size() == 0 && size.is_none())
          throw TypeError(fmt::format("{}: size is missing; () is that of a 0-d tensor", name));
        const Shape shape = size.is_none() ? sizes_of(name, given) : sizes(name, size);
        return finished(make(shape, like(x, dtype, device)), requires_grad);
      },
      "sizes"_a, "size"_a.none() = nb::none(), "dtype"_a = nb::none(), "device"_a = nb::none(), "requires_grad"_a = false,
      nb::sig(fmt::format("def {}(self, *sizes: int | Sequence[int], size: Sequence[int] | None = None, {}", name, kOptions + 3).c_str()), text);
}

}  // namespace

void bind_more_creation(nb::module_& m, nb::class_<Tensor>& tensor) {
  def_new(tensor, "new_zeros", &zeros,
          "A tensor of zeros, of this tensor's dtype and device unless said otherwise.\n\n"
          ">>> luge.tensor([1]).new_zeros(2)\ntensor([0, 0])");
  def_new(tensor, "new_ones", &ones,
          "A tensor of ones, of this tensor's dtype and device unless said otherwise.\n\n"
          ">>> luge.tensor([1]).new_ones(2)\ntensor([1, 1])");
  def_new(tensor, "new_empty", &empty,
          "A tensor whose contents are undefined, of this tensor's dtype and device unless said otherwise.\n\n"
          ">>> luge.tensor([1]).new_empty((2, 3)).shape\n(2, 3)");
  tensor.def(
      "new_full",
      [](const Tensor& x, nb::handle size, nb::handle value, std::optional<PyDType> dtype, std::optional<DeviceArgument> device,
         bool requires_grad) {
        if (number(size)) throw TypeError("new_full: size is a number; it must be a tuple, list or range of ints");
        const Scalar filled = scalar("new_full", "fill_value", value);
        return finished(full(sizes("new_full", size), filled, like(x, dtype, device)), requires_grad);
      },
      "size"_a, "fill_value"_a, nb::kw_only(), "dtype"_a = nb::none(), "device"_a = nb::none(), "requires_grad"_a = false,
      nb::sig(fmt::format("def new_full(self, size: Sequence[int], fill_value: float, {}", kOptions).c_str()),
      "A tensor of one number, of this tensor's dtype and device unless said otherwise.\n\n"
      ">>> luge.tensor([1]).new_full((2,), 7)\ntensor([7, 7])");
  tensor.def(
      "new_tensor",
      [](const Tensor& x, nb::handle data, std::optional<PyDType> dtype, std::optional<DeviceArgument> device, bool requires_grad) {
        const TensorOptions wanted = like(x, dtype, device);
        return python::tensor(data, PyDType{wanted.dtype}, DeviceArgument(wanted.device), requires_grad);
      },
      "data"_a.none(), nb::kw_only(), "dtype"_a = nb::none(), "device"_a = nb::none(), "requires_grad"_a = false,
      nb::sig(fmt::format("def new_tensor(self, data: object, {}", kOptions).c_str()),
      "A copy of a number, nested lists, an array or a tensor, of this tensor's dtype and device unless said otherwise.\n\n"
      ">>> luge.zeros(1).new_tensor([1, 2])\ntensor([1., 2.])");
  m.def(
      "logspace",
      [](nb::handle start, nb::handle end, std::int64_t steps, double base, nb::handle out, std::optional<PyDType> dtype,
         std::optional<DeviceArgument> device, bool requires_grad) {
        const auto number_of = [](const char* argument, nb::handle given) {
          return is_tensor(given) ? as_tensor(given).item<double>(location()) : scalar("logspace", argument, given).to_double();
        };
        const double from = number_of("start", start), to = number_of("end", end);
        const DType wanted = dtype ? dtype->value : DType::Float32;
        if (wanted == DType::Bool) throw DTypeError("logspace: dtype is bool; it must be an integer or a floating one");
        if (steps < 0) throw ValueError(fmt::format("logspace: steps is {}; it must be 0 or more", steps));
        const TensorOptions exact{.dtype = DType::Float64, .device = device ? Device(*device) : Device::cpu()};
        Tensor result = pow(Scalar(base), linspace(from, to, steps, exact)).to(wanted);
        return written("logspace", finished(std::move(result), requires_grad), out);
      },
      "start"_a, "end"_a, "steps"_a, "base"_a = 10.0, nb::kw_only(), "out"_a = nb::none(), "dtype"_a = nb::none(),
      "device"_a = nb::none(), "requires_grad"_a = false,
      nb::sig("def logspace(start: float, end: float, steps: int, base: float = 10.0, *, out: Tensor | None = None, dtype: dtype | None "
              "= None, device: device | str | None = None, requires_grad: bool = False) -> Tensor"),
      "`steps` numbers from base**start to base**end, both included, with equal ratios. Raises ValueError for steps < 0.\n\n"
      ">>> luge.logspace(0, 2, 3)\ntensor([  1.,  10., 100.])");
}

}  // namespace luge::python
