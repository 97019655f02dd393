// Making tensors: from numbers, lists and other tensors, of a pattern, or of random numbers.

#include "creation.h"

#include <fmt/format.h>

namespace luge::python {

namespace {

constexpr const char* kOptions =
    "*, dtype: dtype | None = None, device: device | str | None = None, requires_grad: bool = False";

TensorOptions options(std::optional<PyDType> dtype, std::optional<Device> device, DType otherwise = DType::Float32) {
  return {.dtype = dtype ? dtype->value : otherwise, .device = device.value_or(Device::cpu())};
}

Tensor finished(Tensor tensor, bool requires_grad) {
  if (requires_grad) tensor.requires_grad_();
  return tensor;
}

// ---- from nested lists

/// Numbers in row-major order, with their shape and the dtype that holds them.
struct Numbers {
  Shape shape;
  std::vector<Scalar> values;
  DType dtype = DType::Bool;
};

bool is_sequence(nb::handle object) {
  return nb::isinstance<nb::list>(object) || nb::isinstance<nb::tuple>(object) || PyRange_Check(object.ptr());
}

/// The shape that the first elements say.
Shape first_shape(nb::handle data) {
  Shape shape;
  nb::object inner = nb::borrow(data);
  while (is_sequence(inner)) {
    const auto size = static_cast<std::int64_t>(nb::len(inner));
    shape.push_back(size);
    if (size == 0) break;
    inner = inner[0];
  }
  return shape;
}

/// The dtype that a number has as a tensor of its own: a NumPy scalar's, or that of its kind.
DType dtype_of_number(nb::handle object, Scalar value) {
  if (!is_tensor(object) && nb::hasattr(object, "dtype")) {
    const nb::object given = object.attr("dtype");
    const std::string own = nb::str(given).c_str();
    for (int i = 0; i < kDTypeCount; ++i)
      if (own == name(static_cast<DType>(i))) return static_cast<DType>(i);
  }
  return value.default_dtype();
}

void collect(nb::handle data, int dim, Numbers& numbers) {
  if (dim < numbers.shape.ndim()) {
    if (!is_sequence(data))
      throw ShapeError(fmt::format("tensor: a number stands where a list of {} is expected, in dimension {}",
                                   numbers.shape[dim], dim));
    if (static_cast<std::int64_t>(nb::len(data)) != numbers.shape[dim])
      throw ShapeError(fmt::format("tensor: a list has {} elements where others in dimension {} have {}", nb::len(data),
                                   dim, numbers.shape[dim]));
    for (const nb::handle inner : nb::borrow(data)) collect(inner, dim + 1, numbers);
    return;
  }
  if (is_sequence(data))
    throw ShapeError(
        fmt::format("tensor: a list of {} stands where a number is expected, in dimension {}", nb::len(data), dim));
  std::optional<Scalar> value = number(data);
  const bool of_tensor = !value && is_tensor(data) && as_tensor(data).numel() == 1;
  if (of_tensor) value = number(data.attr("item")());
  if (!value) throw TypeError(fmt::format("tensor: an element is of type {}; it must be a number", type_of(data)));
  numbers.values.push_back(*value);
  numbers.dtype = promote(numbers.dtype, of_tensor ? as_tensor(data).dtype() : dtype_of_number(data, *value));
}

template <class T>
Tensor made(const Numbers& numbers) {
  // std::vector<bool> has no memory that could be copied from.
  const auto values = std::make_unique<T[]>(numbers.values.size());
  for (std::size_t i = 0; i < numbers.values.size(); ++i) values[i] = numbers.values[i].to<T>("tensor");
  return from_host(std::span<const T>(values.get(), numbers.values.size()), numbers.shape, Device::cpu(), location());
}

Tensor from_lists(nb::handle data, std::optional<PyDType> dtype) {
  Numbers numbers;
  numbers.shape = first_shape(data);
  collect(data, 0, numbers);
  const DType own = numbers.values.empty() ? DType::Float32 : numbers.dtype;
  switch (dtype ? dtype->value : own) {
    case DType::Bool: return made<bool>(numbers);
    case DType::Int32: return made<std::int32_t>(numbers);
    case DType::Int64: return made<std::int64_t>(numbers);
    case DType::Float64: return made<double>(numbers);
    case DType::Float32: return made<float>(numbers);
    case DType::UInt8: return made<std::uint8_t>(numbers);
    case DType::Int8: return made<std::int8_t>(numbers);
    case DType::Int16: return made<std::int16_t>(numbers);
    case DType::Float16: return made<double>(numbers).to(DType::Float16);
    case DType::BFloat16: return made<double>(numbers).to(DType::BFloat16);
  }
  return {};
}

/// Arrays of other libraries, by way of their memory.
std::optional<Tensor> from_array(const char* op, nb::handle data) {
  if (is_tensor(data)) return as_tensor(data);
  const bool shares = nb::hasattr(data, "__dlpack__") || nb::hasattr(data, "__cuda_array_interface__");
  if (!shares && !nb::hasattr(data, "__array_interface__")) return std::nullopt;
  if (!shares && nb::len(nb::object(data.attr("shape"))) == 0) return std::nullopt;  // a scalar of NumPy's
  return from_foreign(op, data);
}

Tensor as(Tensor x, std::optional<PyDType> dtype, std::optional<Device> device, bool copy) {
  const Unlocked unlocked(x);
  const TensorImpl* const before = x.impl();
  if (dtype && dtype->value != x.dtype()) x = x.to(dtype->value);
  if (device && *device != x.device()) x = x.to(*device, SourceLocation{});
  return copy && x.impl() == before ? x.clone() : x;
}

}  // namespace

Tensor tensor(nb::handle data, std::optional<PyDType> dtype, std::optional<DeviceArgument> device, bool requires_grad) {
  refuse_capture("tensor", kHostWrite, location());
  if (const std::optional<Tensor> array = from_array("tensor", data))
    return finished(as(array->detach(), dtype, device, true), requires_grad);
  return finished(as(from_lists(data, dtype), dtype, device, false), requires_grad);
}

namespace {

Tensor as_tensor_of(nb::handle data, std::optional<PyDType> dtype, std::optional<DeviceArgument> device) {
  if (const std::optional<Tensor> array = from_array("as_tensor", data)) return as(*array, dtype, device, false);
  refuse_capture("as_tensor", kHostWrite, location());
  return as(from_lists(data, dtype), dtype, device, false);
}

// ---- of one pattern

using Factory = Tensor (*)(const Shape&, TensorOptions);

struct Pattern {
  const char* name;
  Factory make;
  const char* text;
};

constexpr Pattern kPatterns[] = {
    {"empty", &luge::empty, "A tensor whose contents are undefined.\n\n>>> luge.empty(2, 3).shape\n(2, 3)"},
    {"zeros", &luge::zeros, "A tensor of zeros.\n\n>>> luge.zeros(2, dtype=luge.int64)\ntensor([0, 0])"},
    {"ones", &luge::ones, "A tensor of ones.\n\n>>> luge.ones(1, 2)\ntensor([[1., 1.]])"},
};

void bind_patterns(nb::module_& m) {
  for (const Pattern& pattern : kPatterns) {
    const std::string signature =
        fmt::format("def {}(*sizes: int | Sequence[int], size: int | Sequence[int] | None = None, {}) -> Tensor",
                    pattern.name, kOptions + 3);
    m.def(
        pattern.name,
        [pattern](const nb::args& given, nb::handle size, std::optional<PyDType> dtype,
                  std::optional<DeviceArgument> device, bool requires_grad) {
          if (given.size() > 0 && !size.is_none()) throw TypeError(fmt::format("{}: size is given twice", pattern.name));
          if (given.size() == 0 && size.is_none())
            throw TypeError(fmt::format("{}: size is missing; () is that of a 0-d tensor", pattern.name));
          const Shape shape = size.is_none() ? sizes_of(pattern.name, given) : sizes(pattern.name, size);
          const TensorOptions wanted = options(dtype, device);
          Tensor result;
          {
            const Unlocked unlocked(kQuick);
            result = pattern.make(shape, wanted);
          }
          return finished(std::move(result), requires_grad);
        },
        "sizes"_a, "size"_a.none() = nb::none(), "dtype"_a = nb::none(), "device"_a = nb::none(),
        "requires_grad"_a = false, nb::sig(signature.c_str()), pattern.text);
    const std::string like = std::string(pattern.name) + "_like";
    m.def(
        like.c_str(),
        [pattern](const Tensor& input, std::optional<PyDType> dtype, std::optional<DeviceArgument> device,
                  bool requires_grad) {
          const TensorOptions wanted = options(dtype, device ? device : DeviceArgument(input.device()), input.dtype());
          Tensor result;
          {
            const Unlocked unlocked(input);
            result = pattern.make(input.shape(), wanted);
          }
          return finished(std::move(result), requires_grad);
        },
        "input"_a, nb::kw_only(), "dtype"_a = nb::none(), "device"_a = nb::none(), "requires_grad"_a = false,
        fmt::format("{}() of the shape, and unless said otherwise of the dtype and device, of `input`.\n\n"
                    ">>> luge.{}(luge.zeros(3)).shape\n(3,)",
                    pattern.name, like)
            .c_str());
  }
}

void bind_numbers(nb::module_& m) {
  m.def(
      "full",
      [](nb::handle size, nb::handle value, std::optional<PyDType> dtype, std::optional<DeviceArgument> device,
         bool requires_grad) {
        const Scalar given = scalar("full", "fill_value", value);
        return finished(full(sizes("full", size), given, options(dtype, device, given.default_dtype())), requires_grad);
      },
      "size"_a.none(), "fill_value"_a.none(), nb::kw_only(), "dtype"_a = nb::none(), "device"_a = nb::none(),
      "requires_grad"_a = false,
      "A tensor of one number, in the number's own dtype (bool, int64, float32) unless said otherwise.\n\n"
      ">>> luge.full((2,), 7)\ntensor([7, 7])");
  m.def(
      "full_like",
      [](const Tensor& input, nb::handle value, std::optional<PyDType> dtype, std::optional<DeviceArgument> device,
         bool requires_grad) {
        return finished(full(input.shape(), scalar("full_like", "fill_value", value),
                             options(dtype, device ? device : DeviceArgument(input.device()), input.dtype())),
                        requires_grad);
      },
      "input"_a, "fill_value"_a.none(), nb::kw_only(), "dtype"_a = nb::none(), "device"_a = nb::none(),
      "requires_grad"_a = false,
      "A tensor of one number, like `input`.\n\n>>> luge.full_like(luge.zeros(2), 7)\ntensor([7., 7.])");
  m.def(
      "arange",
      [](nb::handle first, nb::handle second, nb::handle third, std::optional<PyDType> dtype,
         std::optional<DeviceArgument> device, bool requires_grad) {
        if (first.is_none() && second.is_none()) throw TypeError("arange: end is missing");
        const bool only_stop = first.is_none() || second.is_none();
        const Scalar start = only_stop ? Scalar(0) : scalar("arange", "start", first);
        const Scalar stop = scalar("arange", "end", second.is_none() ? first : second);
        const Scalar step = scalar("arange", "step", third);
        DType own = DType::Int64;
        for (const Scalar& value : {start, stop, step})
          if (value.kind() == Scalar::Kind::Float) own = DType::Float32;
        return finished(arange(start, stop, step, options(dtype, device, own)), requires_grad);
      },
      "start"_a.none() = nb::none(), "end"_a = nb::none(), "step"_a.none() = 1, nb::kw_only(), "dtype"_a = nb::none(),
      "device"_a = nb::none(), "requires_grad"_a = false,
      nb::sig(fmt::format("def arange(start: float | None = None, end: float | None = None, step: float = 1, {}) -> Tensor", kOptions)
                  .c_str()),
      "start, start + step, ... before end; with one number 0, 1, ... before it. int64 unless one of them is "
      "floating.\n\n"
      "Raises ValueError for a step of 0 or of the wrong sign.\n\n>>> luge.arange(2, 8, 2)\ntensor([2, 4, 6])");
  m.def(
      "linspace",
      [](double start, double end, std::int64_t steps, std::optional<PyDType> dtype,
         std::optional<DeviceArgument> device, bool requires_grad) {
        TensorOptions wanted = options(dtype, device);
        const DType own = wanted.dtype;
        const bool whole = !is_floating(own) && own != DType::Bool;
        if (whole) wanted.dtype = DType::Float64;
        Tensor result = linspace(start, end, steps, wanted);
        return finished(whole ? result.to(own) : std::move(result), requires_grad);
      },
      "start"_a, "end"_a, "steps"_a, nb::kw_only(), "dtype"_a = nb::none(), "device"_a = nb::none(),
      "requires_grad"_a = false,
      "`steps` numbers from start to end, both included; rounded towards 0 for integer dtypes.\n\n>>> luge.linspace(0, 1, 3)\ntensor([0.0000, 0.5000, "
      "1.0000])");
  m.def(
      "eye",
      [](std::int64_t n, std::optional<std::int64_t> columns, std::optional<PyDType> dtype,
         std::optional<DeviceArgument> device,
         bool requires_grad) { return finished(eye(n, columns.value_or(n), options(dtype, device)), requires_grad); },
      "n"_a, "m"_a = nb::none(), nb::kw_only(), "dtype"_a = nb::none(), "device"_a = nb::none(),
      "requires_grad"_a = false,
      "The identity matrix of n rows, and m columns.\n\n>>> luge.eye(2)\ntensor([[1., 0.],\n        [0., 1.]])");
}

}  // namespace

void bind_creation(nb::module_& m) {
  m.def("tensor", &tensor, "data"_a.none(), nb::kw_only(), "dtype"_a = nb::none(), "device"_a = nb::none(),
        "requires_grad"_a = false, nb::sig(fmt::format("def tensor(data: object, {}) -> Tensor", kOptions).c_str()),
        "A copy of `data`: a number, nested lists or tuples of numbers, an array or a tensor.\n\n"
        "The dtype is bool, int64 or float32 as the numbers are, that of NumPy's scalars, an array's own, or `dtype`. "
        "Raises ShapeError for ragged lists, and ValueError for a number that an integer dtype cannot hold.\n\n>>> "
        "luge.tensor([[1.0, 2.0], [3.0, 4.0]])\ntensor([[1., 2.],\n        [3., 4.]])");
  m.def(
      "as_tensor", &as_tensor_of, "data"_a.none(), "dtype"_a = nb::none(), "device"_a = nb::none(),
      nb::sig("def as_tensor(data: object, dtype: dtype | None = None, device: device | str | None = None) -> Tensor"),
      "Like tensor(), but shares memory with a tensor or an array where dtype and device allow.\n\n"
      ">>> x = luge.zeros(2)\n>>> luge.as_tensor(x).data_ptr() == x.data_ptr()\nTrue");
  bind_patterns(m);
  bind_numbers(m);
}

}  // namespace luge::python
