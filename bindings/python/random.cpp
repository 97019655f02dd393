// Random numbers: tensors of them, drawn element by element, and written into a tensor.

#include <luge/ops/distributions.h>
#include <luge/ops/generator.h>

#include <fmt/format.h>

#include "out.h"
#include "python.h"

namespace luge::python {

namespace {

/// Draws come from the luge.Generator that was given, which then knows what was taken; None is the global one.
class Source {
 public:
  Source(const char* op, nb::handle generator) {
    if (generator.is_none()) return;
    if (!nb::isinstance(generator, nb::module_::import_("luge._generator").attr("Generator")))
      throw TypeError(fmt::format("{}: generator is of type {}; it must be a luge.Generator or None", op, type_of(generator)));
    given_ = nb::borrow(generator);
    generator_ = {nb::cast<std::uint64_t>(given_.attr("_seed")), nb::cast<std::uint64_t>(given_.attr("_drawn"))};
    guard_.emplace(generator_);
  }
  ~Source() {
    if (given_.is_valid()) given_.attr("_drawn") = generator_.drawn;
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

 private:
  nb::object given_;
  Generator generator_;
  std::optional<DrawFrom> guard_;
};

using Options = std::optional<PyDType>;
using Where = std::optional<DeviceArgument>;

TensorOptions options(Options dtype, Where device, DType otherwise = DType::Float32) {
  return {.dtype = dtype ? dtype->value : otherwise, .device = device ? Device(*device) : Device::cpu()};
}

TensorOptions like(const Tensor& x, Options dtype = {}, Where device = {}) {
  return {.dtype = dtype ? dtype->value : x.dtype(), .device = device ? Device(*device) : x.device()};
}

Tensor finished(Tensor tensor, bool requires_grad) {
  if (requires_grad) tensor.requires_grad_();
  return tensor;
}

constexpr const char* kGenerator = "generator: luge.Generator | None = None";
constexpr const char* kRest = "dtype: dtype | None = None, device: device | str | None = None, requires_grad: bool = False) -> Tensor";

using Factory = Tensor (*)(const Shape&, TensorOptions);

void def_numbers(nb::module_& m, const char* name, Factory make, const char* text) {
  m.def(
      name,
      [name, make](const nb::args& given, nb::handle size, nb::handle generator, nb::handle out, Options dtype, Where device,
                   bool requires_grad) {
        if (given.size() > 0 && !size.is_none()) throw TypeError(fmt::format("{}: size is given twice", name));
        if (given.size() == 0 && size.is_none())
          throw TypeError(fmt::format("{}: size is missing; () is that of a 0-d tensor", name));
        const Shape shape = size.is_none() ? sizes_of(name, given) : sizes(name, size);
        const Source source(name, generator);
        Tensor result;
        {
          const Unlocked unlocked(kQuick);
          result = make(shape, options(dtype, device));
        }
        return written(name, finished(std::move(result), requires_grad), out);
      },
      "sizes"_a, "size"_a.none() = nb::none(), "generator"_a = nb::none(), "out"_a = nb::none(), "dtype"_a = nb::none(),
      "device"_a = nb::none(), "requires_grad"_a = false,
      nb::sig(fmt::format("def {}(*sizes: int | Sequence[int], size: int | Sequence[int] | None = None, {}, out: Tensor | None = "
                          "None, {}",
                          name, kGenerator, kRest)
                  .c_str()),
      text);
  const std::string similar = std::string(name) + "_like";
  m.def(
      similar.c_str(),
      [similar, make](const Tensor& input, nb::handle generator, Options dtype, Where device, bool requires_grad) {
        const Source source(similar.c_str(), generator);
        Tensor result;
        {
          const Unlocked unlocked(input);
          result = make(input.shape(), like(input, dtype, device));
        }
        return finished(std::move(result), requires_grad);
      },
      "input"_a, nb::kw_only(), "generator"_a = nb::none(), "dtype"_a = nb::none(), "device"_a = nb::none(),
      "requires_grad"_a = false,
      nb::sig(fmt::format("def {}(input: Tensor, *, {}, {}", similar, kGenerator, kRest).c_str()),
      fmt::format("{}() of the shape, and unless said otherwise of the dtype and device, of `input`.\n\n"
                  ">>> luge.{}(luge.zeros(3)).shape\n(3,)",
                  name, similar)
          .c_str());
}

void bind_integers(nb::module_& m) {
  m.def(
      "randint",
      [](std::optional<std::int64_t> low, nb::handle high, nb::handle size, nb::handle generator, Options dtype, Where device,
         bool requires_grad) {
        const bool from_zero = low && size.is_none();  // randint(high, size)
        const Shape shape = sizes("randint", from_zero ? high : size);
        const std::int64_t first = from_zero ? 0 : low.value_or(0), last = from_zero ? *low : integer("randint", "high", high);
        const Source source("randint", generator);
        const Unlocked unlocked(kQuick);
        return finished(randint(first, last, shape, options(dtype, device, DType::Int64)), requires_grad);
      },
      "low"_a.none() = nb::none(), "high"_a.none() = nb::none(), "size"_a = nb::none(), nb::kw_only(), "generator"_a = nb::none(),
      "dtype"_a = nb::none(), "device"_a = nb::none(), "requires_grad"_a = false,
      nb::sig(fmt::format("def randint(low: int | None = None, high: int | Sequence[int] | None = None, size: int | Sequence[int] | None = None, *, "
                          "{}, {}",
                          kGenerator, kRest)
                  .c_str()),
      "Random integers in [low, high), or in [0, low) where only a size follows.\n\n"
      ">>> x = luge.randint(3, 6, (50,))\n>>> int(x.min()) >= 3 and int(x.max()) < 6\nTrue");
  m.def(
      "randint_like",
      [](const Tensor& input, std::int64_t low, std::optional<std::int64_t> high, nb::handle generator, Options dtype,
         Where device) {
        const Source source("randint_like", generator);
        const TensorOptions wanted = like(input, dtype, device);
        const bool whole = wanted.dtype == DType::Int32 || wanted.dtype == DType::Int64;
        const Unlocked unlocked(input);
        const Tensor drawn = randint(high ? low : 0, high ? *high : low, input.shape(),
                                     {.dtype = whole ? wanted.dtype : DType::Int64, .device = wanted.device});
        return drawn.to(wanted.dtype);
      },
      "input"_a, "low"_a, "high"_a = nb::none(), nb::kw_only(), "generator"_a = nb::none(), "dtype"_a = nb::none(),
      "device"_a = nb::none(),
      nb::sig(fmt::format("def randint_like(input: Tensor, low: int, high: int | None = None, *, {}, dtype: dtype | None = None, "
                          "device: device | str | None = None) -> Tensor",
                          kGenerator)
                  .c_str()),
      "randint() of the shape, and unless said otherwise of the dtype and device, of `input`.\n\n"
      ">>> luge.randint_like(luge.zeros(3), 2).shape\n(3,)");
  m.def(
      "randperm",
      [](std::int64_t n, nb::handle generator, nb::handle out, Options dtype, Where device) {
        const SourceLocation at = location();
        const Source source("randperm", generator);
        Tensor result;
        {
          const Unlocked unlocked(kQuick);
          result = randperm(n, at).to(dtype ? dtype->value : DType::Int64);
          if (device) result = result.to(Device(*device), at);
        }
        return written("randperm", std::move(result), out);
      },
      "n"_a, nb::kw_only(), "generator"_a = nb::none(), "out"_a = nb::none(), "dtype"_a = nb::none(), "device"_a = nb::none(),
      nb::sig(fmt::format("def randperm(n: int, *, {}, out: Tensor | None = None, dtype: dtype | None = None, device: device | str | "
                          "None = None) -> Tensor",
                          kGenerator)
                  .c_str()),
      "The numbers 0 ... n - 1 in random order.\n\n>>> sorted(luge.randperm(4).tolist())\n[0, 1, 2, 3]");
  m.def(
      "manual_seed", [](std::uint64_t seed) { manual_seed(seed); }, "seed"_a,
      "Starts the sequence of rand, randn, randint and of parameters' initial values anew.\n\n"
      ">>> luge.manual_seed(0)\n>>> a = luge.rand(3)\n>>> luge.manual_seed(0)\n>>> a.equal(luge.rand(3))\nTrue");
}

/// A probability or another parameter: a tensor, or a number for all elements.
Tensor parameter(const char* op, const char* argument, nb::handle given, const Tensor& x) {
  if (is_tensor(given)) return as_tensor(given).expand(x.shape());
  return full(x.shape(), scalar(op, argument, given), {.dtype = x.dtype() == DType::Float64 ? DType::Float64 : DType::Float32,
                                                       .device = x.device()});
}

void bind_draws(nb::module_& m, nb::class_<Tensor>& tensor) {
  const char* const bernoulli_text =
      "1 with the probability that each element says, else 0; without a gradient. With `p` it is the probability of all of "
      "them. Raises DTypeError unless it is floating, ValueError for a probability outside [0, 1].\n\n"
      ">>> luge.bernoulli(luge.tensor([0., 1.]))\ntensor([0., 1.])";
  const auto drawn_bernoulli = [](const Tensor& x, nb::handle p, nb::handle generator) {
    const Source source("bernoulli", generator);
    const Tensor chances = p.is_none() ? x : parameter("bernoulli", "p", p, x);
    const Unlocked unlocked(x);
    return bernoulli(chances).to(x.dtype());
  };
  m.def(
      "bernoulli",
      [drawn_bernoulli](const Tensor& x, nb::handle p, nb::handle generator, nb::handle out) {
        return written("bernoulli", drawn_bernoulli(x, p, generator), out);
      },
      "input"_a, "p"_a = nb::none(), nb::kw_only(), "generator"_a = nb::none(), "out"_a = nb::none(),
      nb::sig(fmt::format("def bernoulli(input: Tensor, p: float | None = None, *, {}, out: Tensor | None = None) -> Tensor", kGenerator)
                  .c_str()),
      bernoulli_text);
  tensor.def(
      "bernoulli", drawn_bernoulli, "p"_a = nb::none(), nb::kw_only(), "generator"_a = nb::none(),
      nb::sig(fmt::format("def bernoulli(self, p: float | None = None, *, {}) -> Tensor", kGenerator).c_str()), bernoulli_text);
  const char* const multinomial_text =
      "Indices of categories, int64: num_samples for each row of weights (categories) or (rows, categories), which need not add "
      "up to 1. Raises ShapeError, DTypeError, and ValueError for weights below 0, or too few above 0.\n\n"
      ">>> luge.multinomial(luge.tensor([0., 3., 0.]), 2, replacement=True)\ntensor([1, 1])";
  m.def(
      "multinomial",
      [](const Tensor& x, std::int64_t count, bool replacement, nb::handle generator, nb::handle out) {
        const Source source("multinomial", generator);
        Tensor result;
        {
          const Unlocked unlocked(x);
          result = multinomial(x, count, replacement);
        }
        return written("multinomial", std::move(result), out);
      },
      "input"_a, "num_samples"_a, "replacement"_a = false, nb::kw_only(), "generator"_a = nb::none(), "out"_a = nb::none(),
      nb::sig(fmt::format("def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, {}, out: Tensor | None = "
                          "None) -> Tensor",
                          kGenerator)
                  .c_str()),
      multinomial_text);
  tensor.def(
      "multinomial",
      [](const Tensor& x, std::int64_t count, bool replacement, nb::handle generator) {
        const Source source("multinomial", generator);
        const Unlocked unlocked(x);
        return multinomial(x, count, replacement);
      },
      "num_samples"_a, "replacement"_a = false, nb::kw_only(), "generator"_a = nb::none(),
      nb::sig(fmt::format("def multinomial(self, num_samples: int, replacement: bool = False, *, {}) -> Tensor", kGenerator).c_str()),
      multinomial_text);
  m.def(
      "normal",
      [](nb::handle mean, nb::handle std, nb::handle size, nb::handle generator, nb::handle out, Options dtype, Where device) {
        const Source source("normal", generator);
        const bool of_tensors = is_tensor(mean) || is_tensor(std);
        if (of_tensors && !size.is_none()) throw TypeError("normal: size is given beside a tensor; the tensor says the shape");
        if (!of_tensors && size.is_none()) throw TypeError("normal: size is missing; mean and std are numbers");
        Tensor result;
        if (!of_tensors)
          result = normal(scalar("normal", "mean", mean).to_double(), scalar("normal", "std", std).to_double(), sizes("normal", size),
                          options(dtype, device));
        else if (!is_tensor(std))
          result = normal(as_tensor(mean), scalar("normal", "std", std).to_double());
        else if (!is_tensor(mean))
          result = normal(scalar("normal", "mean", mean).to_double(), as_tensor(std));
        else
          result = normal(as_tensor(mean), as_tensor(std));
        return written("normal", std::move(result), out);
      },
      "mean"_a = 0.0, "std"_a = 1.0, "size"_a = nb::none(), nb::kw_only(), "generator"_a = nb::none(), "out"_a = nb::none(),
      "dtype"_a = nb::none(), "device"_a = nb::none(),
      nb::sig(fmt::format("def normal(mean: Tensor | float = 0.0, std: Tensor | float = 1.0, size: Sequence[int] | None = None, *, "
                          "{}, out: Tensor | None = None, dtype: dtype | None = None, device: device | str | None = None) -> Tensor",
                          kGenerator)
                  .c_str()),
      "Normal random numbers, without a gradient: of a mean and a standard deviation for each element, which broadcast, or of the "
      "same for all elements of `size`. Raises ValueError for a negative std.\n\n"
      ">>> luge.normal(luge.tensor([1., 2.]), 0.)\ntensor([1., 2.])");
}

/// x.name_(first, second): numbers of a distribution, written into x.
template <class Draw>
void def_in_place(nb::class_<Tensor>& tensor, const char* name, std::pair<const char*, double> first,
                  std::pair<const char*, double> second, const char* text, Draw draw) {
  tensor.def(
      name,
      [name, draw](Tensor& x, double a, double b, nb::handle generator) -> Tensor& {
        const Source source(name, generator);
        if (!is_floating(x.dtype()) && std::string_view(name) != "geometric_")
          throw DTypeError(fmt::format("{}: the tensor is {}; it must be floating", name, luge::name(x.dtype())));
        return overwrite(name, x, draw(a, b, x.shape(), like(x)));
      },
      nb::arg(first.first) = first.second, nb::arg(second.first) = second.second, nb::kw_only(), "generator"_a = nb::none(),
      nb::rv_policy::none,
      nb::sig(fmt::format("def {}(self, {}: float = {}, {}: float = {}, *, {}) -> Tensor", name,
                          std::string_view(first.first) == "from" ? "from_" : first.first, first.second, second.first, second.second,
                          kGenerator)
                  .c_str()),
      text);
}

/// One more than the largest integer up to which this dtype holds all.
std::int64_t most_random(DType dtype) {
  switch (dtype) {
    case DType::Bool: return 2;
    case DType::UInt8: return 256;
    case DType::Int8: return 128;
    case DType::Int16: return 32768;
    case DType::Int32: return std::int64_t{1} << 31;
    case DType::Int64: return std::numeric_limits<std::int64_t>::max();
    case DType::Float16: return (1 << 11) + 1;
    case DType::BFloat16: return (1 << 8) + 1;
    case DType::Float32: return (1 << 24) + 1;
    case DType::Float64: return (std::int64_t{1} << 53) + 1;
  }
  return 0;
}

void bind_fills(nb::class_<Tensor>& tensor) {
  def_in_place(tensor, "uniform_", {"from", 0}, {"to", 1}, "Writes uniform numbers of [from, to) into the tensor.\n\n"
               ">>> luge.empty(2).uniform_(3, 3)\ntensor([3., 3.])",
               [](double low, double high, const Shape& shape, TensorOptions wanted) { return uniform(low, high, shape, wanted); });
  def_in_place(tensor, "normal_", {"mean", 0}, {"std", 1}, "Writes normal numbers into the tensor.\n\n"
               ">>> luge.empty(2).normal_(3, 0)\ntensor([3., 3.])",
               [](double mean, double std, const Shape& shape, TensorOptions wanted) { return normal(mean, std, shape, wanted); });
  def_in_place(tensor, "log_normal_", {"mean", 1}, {"std", 2}, "Writes numbers whose logarithms are normal into the tensor.\n\n"
               ">>> bool((luge.empty(9).log_normal_() > 0).all())\nTrue",
               [](double mean, double std, const Shape& shape, TensorOptions wanted) { return log_normal(mean, std, shape, wanted); });
  def_in_place(tensor, "cauchy_", {"median", 0}, {"sigma", 1}, "Writes numbers of a Cauchy distribution into the tensor.\n\n"
               ">>> luge.empty(2).cauchy_().shape\n(2,)",
               [](double median, double scale, const Shape& shape, TensorOptions wanted) { return cauchy(median, scale, shape, wanted); });
  tensor.def(
      "exponential_",
      [](Tensor& x, double rate, nb::handle generator) -> Tensor& {
        const Source source("exponential_", generator);
        if (!is_floating(x.dtype()))
          throw DTypeError(fmt::format("exponential_: the tensor is {}; it must be floating", luge::name(x.dtype())));
        return overwrite("exponential_", x, exponential(rate, x.shape(), like(x)));
      },
      "lambd"_a = 1.0, nb::kw_only(), "generator"_a = nb::none(), nb::rv_policy::none,
      nb::sig(fmt::format("def exponential_(self, lambd: float = 1.0, *, {}) -> Tensor", kGenerator).c_str()),
      "Writes numbers of an exponential distribution of this rate into the tensor.\n\n"
      ">>> bool((luge.empty(9).exponential_() > 0).all())\nTrue");
  tensor.def(
      "geometric_",
      [](Tensor& x, double p, nb::handle generator) -> Tensor& {
        const Source source("geometric_", generator);
        if (x.dtype() == DType::Bool) throw DTypeError("geometric_: the tensor is bool; it must be of numbers");
        const Tensor trials = geometric(p, x.shape(), {.dtype = DType::Float64, .device = x.device()});
        return overwrite("geometric_", x, trials.to(x.dtype()));
      },
      "p"_a, nb::kw_only(), "generator"_a = nb::none(), nb::rv_policy::none,
      nb::sig(fmt::format("def geometric_(self, p: float, *, {}) -> Tensor", kGenerator).c_str()),
      "Writes how many trials the first success of probability p takes into the tensor, 1 or more.\n\n"
      ">>> bool((luge.empty(9).geometric_(0.5) >= 1).all())\nTrue");
  tensor.def(
      "random_",
      [](Tensor& x, std::optional<std::int64_t> from, std::optional<std::int64_t> to, nb::handle generator) -> Tensor& {
        const Source source("random_", generator);
        const std::int64_t low = to ? from.value_or(0) : 0, high = to ? *to : from ? *from : most_random(x.dtype());
        const Tensor drawn = randint(low, high, x.shape(), {.dtype = DType::Int64, .device = x.device()});
        return overwrite("random_", x, drawn.to(x.dtype()));
      },
      "from"_a = nb::none(), "to"_a = nb::none(), nb::kw_only(), "generator"_a = nb::none(), nb::rv_policy::none,
      nb::sig(fmt::format("def random_(self, from_: int | None = None, to: int | None = None, *, {}) -> Tensor", kGenerator).c_str()),
      "Writes integers of [from, to), of [0, from) where only one number is given, or else of [0, the largest that the dtype holds "
      "exactly], into the tensor.\n\n>>> luge.empty(2).random_(3, 4)\ntensor([3., 3.])");
  tensor.def(
      "bernoulli_",
      [](Tensor& x, nb::handle p, nb::handle generator) -> Tensor& {
        const Source source("bernoulli_", generator);
        return overwrite("bernoulli_", x, bernoulli(parameter("bernoulli_", "p", p, x)).to(x.dtype()));
      },
      "p"_a = 0.5, nb::kw_only(), "generator"_a = nb::none(), nb::rv_policy::none,
      nb::sig(fmt::format("def bernoulli_(self, p: Tensor | float = 0.5, *, {}) -> Tensor", kGenerator).c_str()),
      "Writes 1 with probability p and else 0 into the tensor; p may be a tensor that broadcasts.\n\n"
      ">>> luge.empty(2).bernoulli_(1)\ntensor([1., 1.])");
}

}  // namespace

void bind_random(nb::module_& m, nb::class_<Tensor>& tensor) {
  def_numbers(m, "rand", &luge::rand,
              "Uniform random numbers in [0, 1), the global generator's next ones or those of a luge.Generator.\n\n"
              ">>> x = luge.rand(100)\n>>> bool(((x >= 0) & (x < 1)).all())\nTrue");
  def_numbers(m, "randn", &luge::randn,
              "Random numbers of the standard normal distribution.\n\n>>> luge.randn(2, 3).shape\n(2, 3)");
  bind_integers(m);
  bind_draws(m, tensor);
  bind_fills(tensor);
}

}  // namespace luge::python
