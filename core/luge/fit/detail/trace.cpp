#include <luge/fit/detail/trace.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <variant>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/base/detail/dispatch.h>
#include <luge/ops/create.h>
#include <luge/seam/backend.h>
#include <luge/seam/detail/op_traits.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge::fit {

namespace {

/// Points that the function is shown, one time and another: what depends on their number comes out differently.
constexpr std::int64_t kPoints[] = {7, 11};

/// Notes the elementwise calls of a function.
class Tracer final : public Observer {
 public:
  explicit Tracer(Graph& graph, std::int64_t points) : graph_(graph), points_(points), outer_(observer) {
    observer = this;
  }
  ~Tracer() { observer = outer_; }
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  void name(const Tensor& tensor, Term term) {
    note(operand(tensor).data, term, tensor.numel(), size_of(tensor.dtype()));
    kept_.push_back(tensor);
  }
  std::optional<Term> term_of(const Tensor& tensor) const {
    const auto known = at(operand(tensor).data);
    if (known == known_.end() || tensor.dtype() == DType::Bool) return std::nullopt;
    return known->second.term;
  }

  void run(Backend& backend, const Call& call) override {
    observer = nullptr;  // what the backend does is none of the function's
    std::visit([&](const auto& kind) { backend.run(kind); }, call);
    observer = this;
    if (const auto* const elementwise = std::get_if<Elementwise>(&call)) return note(*elementwise);
    if (const auto* const copy = std::get_if<Copy>(&call)) return note(*copy);
    raise<ValueError>("model: the function calls {}; a model works element by element", name_of(call));
  }
  void allocated(const Storage&) override {}
  void freed(const Storage&) noexcept override {}
  void uses(Storage&) override {}
  void uses(void*, std::size_t) override {}
  void bumped(Storage&) override {}
  void uses_gradient(TensorImpl&) override {}
  void forgets_gradient(TensorImpl&) override {}
  void has_effect(HostEffect) override {}
  void seeds(std::uint64_t) override {}
  void has_checked(const char*, const TensorImpl&, const LabelRange&) override {}
  [[noreturn]] void refuse(const char* op, const char* why, SourceLocation) override {
    raise<ValueError>("model: the function's {} {}; a model works element by element", op, why);
  }

 private:
  struct Known {
    Term term;
    bool is_row;           ///< an element for each point
    const std::byte* end;  ///< of its memory
  };

  /// What lay in this memory before is gone.
  void note(const void* data, Term term, std::int64_t elements, std::size_t size) {
    const auto* const begin = static_cast<const std::byte*>(data);
    const std::byte* const end = begin + static_cast<std::size_t>(elements) * size;
    for (auto old = known_.begin(); old != known_.end();)
      old = old->first < end && begin < old->second.end ? known_.erase(old) : std::next(old);
    known_[begin] = {term, elements > 1, end};
  }
  std::map<const std::byte*, Known>::const_iterator at(const void* data) const {
    return known_.find(static_cast<const std::byte*>(data));
  }
  bool is_inside(const void* data) const {
    const auto* const place = static_cast<const std::byte*>(data);
    return std::any_of(known_.begin(), known_.end(),
                       [&](const auto& one) { return one.first < place && place < one.second.end; });
  }

  void note(const Elementwise& call) {
    if (call.direction == Direction::Backward)
      raise<ValueError>("model: the function computes a derivative of {}; derivatives of models are made by luge",
                        luge::name(call.op));
    std::array<Term, Elementwise::kMaxInputs> in;
    for (std::size_t i = 0; i < static_cast<std::size_t>(call.inputs); ++i)
      in[i] = read(call.name(), call.in[i], call.extent);
    store(call.out[0], call.extent,
          graph_.apply(call.op, std::span(in.data(), static_cast<std::size_t>(call.inputs)), call.parameters));
  }
  void note(const Copy& call) {
    Term term = read("copy", call.in, call.extent);
    const bool is_condition = graph_.is_condition(term);
    if (is_floating(call.in.dtype) && call.out.dtype != DType::Bool &&
        (!is_floating(call.out.dtype) || is_storage_only(call.out.dtype)))
      raise<ValueError>("model: the function converts to {}; a model computes in the dtype of the observations",
                        luge::name(call.out.dtype));
    if (call.out.dtype == DType::Bool && !is_condition) {
      const Term in[] = {term, graph_.number(0)};
      term = graph_.apply(Op::NotEqual, in);
    } else if (is_condition && call.out.dtype != DType::Bool) {
      const Term in[] = {term, graph_.number(1), graph_.number(0)};
      term = graph_.apply(Op::Where, in);
    }
    store(call.out, call.extent, term);
  }

  Term read(const char* op, const Operand& in, const Extent& extent) {
    if (in.is_immediate()) return graph_.number(is_floating(in.dtype) ? in.floating : static_cast<double>(in.integer));
    const auto known = at(in.data);
    if (known != known_.end()) {
      bool in_order = !known->second.is_row || extent.count() % points_ == 0;
      for (int d = 0; d < extent.ndim; ++d)
        in_order = in_order &&
                   (!known->second.is_row || in.strides[static_cast<std::size_t>(d)] == (d + 1 == extent.ndim ? 1 : 0));
      if (!in_order)
        raise<ValueError>(
            "model: the function's {} takes single points of a predictor, or another order; of several predictors name "
            "each "
            "by predictors=[...]: a model works element by element",
            op);
      return known->second.term;
    }
    if (is_inside(in.data))
      raise<ValueError>(
          "model: the function's {} takes single points of a predictor, or another order; of several predictors name "
          "each "
          "by predictors=[...]: a model works element by element",
          op);
    for (int d = 0; d < extent.ndim; ++d)
      if (extent.sizes[static_cast<std::size_t>(d)] > 1 && in.strides[static_cast<std::size_t>(d)] != 0)
        raise<ValueError>(
            "model: the function's {} reads a tensor that is neither a predictor nor a parameter nor one number", op);
    return with_dtype(in.dtype,
                      [&]<class T>() { return graph_.number(static_cast<double>(*static_cast<const T*>(in.data))); });
  }
  void store(const Operand& out, const Extent& extent, Term term) {
    note(out.data, term, extent.count(), size_of(out.dtype));
  }

  Graph& graph_;
  const std::int64_t points_;
  Observer* const outer_;
  std::map<const std::byte*, Known> known_;  ///< by address of the first element
  std::vector<Tensor> kept_;                 ///< their addresses are not given to others
};

using TracedFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>&, const std::vector<Tensor>&)>;

/// The terms of one run with so many points.
std::vector<Term> run_once(Graph& graph, int predictors, int parameters, std::int64_t points,
                           const TracedFunction& function) {
  const NoGrad no_grad;
  std::vector<Tensor> x, p;
  {
    const Unobserved unobserved;
    for (int i = 0; i < predictors; ++i) x.push_back(full({points}, 0.5, {.dtype = DType::Float64}));
    for (int i = 0; i < parameters; ++i) p.push_back(full({}, 1.0, {.dtype = DType::Float64}));
  }
  Tracer tracer(graph, points);
  for (int i = 0; i < predictors; ++i) tracer.name(x[static_cast<std::size_t>(i)], graph.predictor(i));
  for (int i = 0; i < parameters; ++i) tracer.name(p[static_cast<std::size_t>(i)], graph.parameter(i));
  const std::vector<Tensor> results = function(x, p);
  std::vector<Term> terms;
  for (const Tensor& result : results) {
    LUGE_CHECK(ValueError, result.defined() && result.device().is_cpu(),
               "model: the function returns no tensor of its arguments");
    LUGE_CHECK(
        ValueError, result.shape() == Shape{points} || result.shape().empty(),
        "model: the function returns shape {} of predictors of shape ({},); it must be one number for each point",
        to_string(result.shape()), points);
    const std::optional<Term> term = tracer.term_of(result);
    LUGE_CHECK(ValueError, term && !graph.is_condition(*term),
               "model: the function returns a tensor that is not computed from its arguments");
    terms.push_back(*term);
  }
  LUGE_CHECK(ValueError, !terms.empty(), "model: the function returns nothing");
  return terms;
}

}  // namespace

std::vector<Term> trace(Graph& graph, int predictors, int parameters, const TracedFunction& function) {
  const std::vector<Term> terms = run_once(graph, predictors, parameters, kPoints[0], function);
  const std::vector<Term> again = run_once(graph, predictors, parameters, kPoints[1], function);
  const bool same =
      std::equal(terms.begin(), terms.end(), again.begin(), again.end(), [](Term a, Term b) { return a.at == b.at; });
  LUGE_CHECK(ValueError, same,
             "model: the function depends on how many points there are; a model works element by element");
  return terms;
}

}  // namespace luge::fit
