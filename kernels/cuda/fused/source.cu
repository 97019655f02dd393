#include "source.h"

#include <cmath>
#include <cstring>
#include <iterator>
#include <type_traits>

// Under nvcc fmt takes itself for less constexpr than it is, and format strings cannot be checked.
#define FMT_USE_CONSTEXPR 1
#define FMT_CONSTEVAL
#include <fmt/format.h>

#include <luge/math/elementwise.h>

#include "../chain.cuh"
#include "../elementwise.cuh"
#include "../reduce.cuh"
#include "../walk.cuh"

namespace luge::cuda {

namespace {

struct FormulaText {
  const char* name;
  int inputs, parameters;
  bool is_where, is_mask;
};

/// By Op.
constexpr FormulaText kFormulas[] = {
#define LUGE_ONE_INPUT(function, Formula, ...) {#Formula, 1, math::scalar::Formula::kParameters, false, false},
#define LUGE_TWO_INPUTS(function, Formula, ...) {#Formula, 2, 0, false, false},
#define LUGE_COMPARISON(function, Formula, ...) {#Formula, 2, 0, false, true},
#define LUGE_TEST(function, Formula, ...) {#Formula, 1, 0, false, true},
#define LUGE_CHOICE(function, Formula, ...) {#Formula, 2, 0, true, false},
    LUGE_UNARY_ROWS(LUGE_ONE_INPUT) LUGE_UNARY_PARAMETER_ROWS(LUGE_ONE_INPUT) LUGE_BINARY_ROWS(LUGE_TWO_INPUTS)
        LUGE_COMPARE_ROWS(LUGE_COMPARISON) LUGE_TEST_ROWS(LUGE_TEST) LUGE_WHERE_ROWS(LUGE_CHOICE)
#undef LUGE_CHOICE
#undef LUGE_TEST
#undef LUGE_COMPARISON
#undef LUGE_TWO_INPUTS
#undef LUGE_ONE_INPUT
};
static_assert(std::size(kFormulas) == kOpCount);

const char* type(DType dtype) {
  switch (dtype) {
    case DType::Bool: return "bool";
    case DType::Int32: return "int";
    case DType::Int64: return "long";
    case DType::Float32: return "float";
    case DType::Float64: return "double";
    case DType::Float16:
    case DType::BFloat16: break;  // core refuses them by name
  }
  return "?";
}

/// Calls visit(T{}) with T the type of elements.
template <class Visit>
auto with_type(DType dtype, const Visit& visit) {
  switch (dtype) {
    case DType::Bool: return visit(bool{});
    case DType::Int32: return visit(int{});
    case DType::Int64: return visit(std::int64_t{});
    case DType::Float64: return visit(double{});
    default: return visit(float{});
  }
}

/// Exactly this number.
template <class T>
std::string literal(T value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (!std::is_floating_point_v<T>) {
    const char* const name = type(sizeof(T) == 4 ? DType::Int32 : DType::Int64);
    return fmt::format("static_cast<{}>({:#x}ul)", name, static_cast<std::make_unsigned_t<T>>(value));
  } else {
    const char* const name = type(sizeof(T) == 4 ? DType::Float32 : DType::Float64);
    if (std::isfinite(value)) return fmt::format("static_cast<{}>({:a})", name, static_cast<double>(value));
    if (std::isinf(value)) return fmt::format("{}std::numeric_limits<{}>::infinity()", value < 0 ? "-" : "", name);
    return fmt::format("std::numeric_limits<{}>::quiet_NaN()", name);
  }
}

std::string number(const Operand& operand, DType dtype) {
  return with_type(dtype, [&](auto zero) { return literal(immediate<decltype(zero)>(operand)); });
}

bool differs(const Hyper& hyper) { return hyper.data && hyper.stride != 0; }
bool has_biases_per_set(const Update& call) { return differs(call.beta1) || differs(call.beta2); }
bool has_numbers_per_set(const Update& call) {
  return has_biases_per_set(call) || differs(call.lr) || differs(call.momentum) || differs(call.dampening) ||
         differs(call.weight_decay) || differs(call.epsilon);
}

class Generator {
 public:
  Generator(const Chain& chain, const std::function<void*(std::size_t)>& allocate)
      : chain_(chain), allocate_(allocate), reduces_(!chain.reductions.empty() || !chain.recordings.empty()) {}

  ChainKernel run(unsigned* finished) {
    lay_out_space();
    add_loads();
    add_stores();
    add_updates();
    add_reductions();
    add_recordings();
    parameters_ += ",\n    unsigned* const finished";
    kernel_.arguments.add(finished);
    for (const Link& link : chain_.links) link.is_update ? add_update(link) : add_formula(link);
    write();
    return std::move(kernel_);
  }

 private:
  template <class T>
  void parameter(const std::string& type_name, const std::string& name, const T& value) {
    parameters_ += fmt::format("{}\n    const {} {}", parameters_.empty() ? "" : ",", type_name, name);
    kernel_.arguments.add(value);
  }

  DType dtype(int value) const { return chain_.values[static_cast<std::size_t>(value)]; }

  void lay_out_space() {
    const std::int64_t count = chain_.extent.count();
    space_ = {1, count, 1, kWarp};
    if (!chain_.reductions.empty()) {
      const Reduce& call = chain_.reductions.front().call;
      space_.length = 1;
      for (int d = call.extent.ndim - call.reduced; d < call.extent.ndim; ++d)
        space_.length *= call.extent.sizes[static_cast<std::size_t>(d)];
      space_.rows = count / space_.length;
    }
    space_.chunks = divide_up(space_.length, reduces_ ? kChunk : kLap);
    if (space_.length <= kLap)
      for (space_.lanes = 1; std::int64_t{space_.lanes} * kRun < space_.length;) space_.lanes *= 2;
    kernel_.warps = space_.chunks == 1 ? divide_up(space_.rows, kWarp / space_.lanes) : space_.rows * space_.chunks;
    parameter("ChainSpace", "space", space_);
  }

  bool is_scalar(const Operand& window) const {
    for (int d = 0; d < chain_.extent.ndim; ++d)
      if (window.strides[static_cast<std::size_t>(d)] != 0) return false;
    return true;
  }
  bool is_contiguous(const Operand& window) const {
    return chain_.extent.ndim == 1 && window.strides[0] == 1;
  }
  /// Whether every run of four elements of this memory may be moved at once.
  Access access(const void* data, DType dtype) const {
    const bool even = space_.rows == 1 || space_.length % kRun == 0;
    return even && reinterpret_cast<std::uintptr_t>(data) % (size_of(dtype) * kRun) == 0 ? Access::Packed
                                                                                         : Access::Single;
  }
  void add_walk(const std::string& name, const Operand& window) {
    parameter("Walk<1>", name, make_walk<1>(dims(chain_.extent), {window.strides.data()}));
  }

  void add_loads() {
    for (std::size_t i = 0; i < chain_.loads.size(); ++i) {
      const auto& [value, window] = chain_.loads[i];
      with_type(window.dtype, [&, v = value, &w = window](auto zero) {
        using T = decltype(zero);
        const auto* const data = static_cast<const T*>(w.data);
        const char* const t = type(w.dtype);
        if (is_scalar(w)) {
          parameter(fmt::format("{}*", t), fmt::format("load{}", i), data);
          before_ += fmt::format("  const {} v{} = *load{};\n", t, v, i);
        } else if (is_contiguous(w)) {
          parameter(fmt::format("Source<{}>", t), fmt::format("load{}", i), Source<T>{data, T{}, access(data, w.dtype)});
          load_ += fmt::format("      const Pack<{}, kRun> in{} = load<kRun>(load{}, first, count);\n", t, i, i);
          element_ += fmt::format("        const {} v{} = in{}.values[k];\n", t, v, i);
        } else {
          parameter(fmt::format("{}*", t), fmt::format("load{}", i), data);
          add_walk(fmt::format("load{}_walk", i), w);
          element_ += fmt::format("        const {} v{} = load{}[load{}_walk.offset(first + k)];\n", t, v, i, i);
        }
      });
    }
  }

  void add_stores() {
    for (std::size_t i = 0; i < chain_.stores.size(); ++i) {
      const auto& [value, window] = chain_.stores[i];
      with_type(window.dtype, [&, v = value, &w = window](auto zero) {
        using T = decltype(zero);
        auto* const data = static_cast<T*>(w.data);
        const char* const t = type(w.dtype);
        if (is_contiguous(w)) {
          parameter(fmt::format("Sink<{}>", t), fmt::format("store{}", i), Sink<T>{data, false, access(data, w.dtype)});
          load_ += fmt::format("      Pack<{}, kRun> out{}{{}};\n", t, i);
          keep_ += fmt::format("        out{}.values[k] = v{};\n", i, v);
          store_ += fmt::format("      store<kRun>(store{}, first, count, out{});\n", i, i);
        } else {
          parameters_ += fmt::format(",\n    {}* const store{}", t, i);
          kernel_.arguments.add(data);
          add_walk(fmt::format("store{}_walk", i), w);
          keep_ += fmt::format("        store{}[store{}_walk.offset(first + k)] = v{};\n", i, i, v);
        }
      });
    }
  }

  template <template <class> class Rule, class T>
  void add_rule(std::size_t i, const char* name, const Chain::UpdatePart& part) {
    const Update& call = part.call;
    const std::int64_t per_set = call.layout.per_set[part.parameter];
    parameter(fmt::format("ChainUpdate<{}<{}>>", name, type(call.dtype)), fmt::format("update{}", i),
              ChainUpdate<Rule<T>>{Rule<T>(call), call.steps, per_set});
    before_ += fmt::format("  const std::int64_t taken{0} = *update{0}.steps;\n"
                           "  const auto biases{0} = update{0}.biases(taken{0});\n"
                           "  const auto common{0} = update{0}.rule.numbers(0, biases{0});\n", i);
    if (!part.counts_step) return;
    needs_last_ = true;
    last_ += fmt::format("  if (threadIdx.x == 0) *update{0}.steps = taken{0} + 1;\n", i);
  }

  void add_updates() {
    for (std::size_t i = 0; i < chain_.updates.size(); ++i) {
      const Chain::UpdatePart& part = chain_.updates[i];
      const auto add = [&]<class T>(T) {
        if (part.call.rule != UpdateRule::Sgd)
          add_rule<Adam, T>(i, "Adam", part);
        else
          part.call.first ? add_rule<MomentumSgd, T>(i, "MomentumSgd", part) : add_rule<PlainSgd, T>(i, "PlainSgd", part);
      };
      part.call.dtype == DType::Float64 ? add(double{}) : add(float{});
    }
  }

  template <class R>
  void add_sum(std::size_t i, const std::string& reducer, const Chain::Reduction& reduction) {
    const Reduce& call = reduction.call;
    Target<R> target = target_of<R>(call);
    if (space_.chunks > 1) {
      const std::int64_t states = space_.rows * space_.chunks + divide_up(space_.chunks, kChunk);
      target.partials = static_cast<double*>(allocate_(static_cast<std::size_t>(states) * sizeof(double)));
    }
    parameter(fmt::format("Target<{}>", reducer), fmt::format("sum{}", i), target);
    states_ += fmt::format("    double state{0} = 0;\n", i);
    keep_ += fmt::format("        state{} = {}{{}}.include(state{}, v{}, 0);\n", i, reducer, i, reduction.value);
    chunk_ += fmt::format("    state{0} = walk.reduce(state{0}, {1}{{}});\n"
                          "    if (walk.leads()) sum{0}.write({1}{{}}, walk.row(), walk.chunk(), space.chunks, state{0});\n",
                          i, reducer);
    if (call.reduced != call.extent.ndim) {
      if (space_.chunks > 1) kernel_.unfinished.push_back({call, target.partials, space_.rows, space_.chunks});
      return;
    }
    needs_last_ = true;
    last_ = fmt::format("  if (space.chunks > 1) finish_total({}{{}}, sum{}, space.chunks);\n", reducer, i) + last_;
  }

  void add_reductions() {
    for (std::size_t i = 0; i < chain_.reductions.size(); ++i) {
      const Chain::Reduction& reduction = chain_.reductions[i];
      const bool mean = reduction.call.op == ReduceOp::Mean;
      const std::string reducer = fmt::format("Sum<{}, {}>", type(dtype(reduction.value)), mean);
      const auto add = [&]<class T>(T) {
        mean ? add_sum<Sum<T, true>>(i, reducer, reduction) : add_sum<Sum<T, false>>(i, reducer, reduction);
      };
      dtype(reduction.value) == DType::Float64 ? add(double{}) : add(float{});
    }
  }

  void add_recordings() {
    for (std::size_t i = 0; i < chain_.recordings.size(); ++i) {
      const auto& [value, call] = chain_.recordings[i];
      auto* const partials = static_cast<Summary*>(
          allocate_(static_cast<std::size_t>(summary_partials(call.n)) * sizeof(Summary)));
      parameter("Ring", fmt::format("ring{}", i), Ring{call.ring, call.rows, call.kept, call.capacity, call.counter, partials});
      before_ += fmt::format("  const std::int64_t recorded{0} = ring{0}.step();\n", i);
      states_ += fmt::format("    Summary summary{} = Summarize{{}}.identity();\n", i);
      keep_ += fmt::format("        summary{0} = Summarize{{}}.include(summary{0}, v{1});\n"
                           "        ring{0}.keep(recorded{0}, first + k, v{1});\n", i, value);
      chunk_ += fmt::format("    summary{0} = walk.reduce(summary{0}, Summarize{{}});\n"
                            "    if (walk.leads()) ring{0}.partials[walk.chunk()] = summary{0};\n", i);
      needs_last_ = true;
      after_ = "  __threadfence_system();  // the rows of losses are for the host\n";
      last_ += fmt::format("  ring{0}.finish(recorded{0}, space.length);\n", i);
    }
  }

  std::string input(const ChainInput& in, DType as) const {
    if (in.kind == ChainInput::Kind::Value) return fmt::format("v{}", in.value);
    if (in.kind == ChainInput::Kind::Number) return number(in.number, as);
    return fmt::format("{}{{}}", type(as));
  }
  DType input_type(const ChainInput& in) const {
    return in.kind == ChainInput::Kind::Value ? dtype(in.value) : in.number.dtype;
  }

  void add_formula(const Link& link) {
    const FormulaText& text = kFormulas[static_cast<int>(link.op)];
    const bool forward = link.direction == Direction::Forward;
    const DType as = input_type(link.in[forward && text.is_where ? 1 : 0]);
    std::string arguments;
    const auto add = [&](const std::string& argument) { arguments += (arguments.empty() ? "" : ", ") + argument; };
    if (text.is_where && forward) {
      add(input(link.in[0], DType::Bool));
      add(input(link.in[1], as));
      add(input(link.in[2], as));
    } else if (text.is_where) {
      add(input(link.in[0], as));
      add(input(link.in[1], DType::Bool));
    } else {
      const int inputs = text.inputs + (forward ? 0 : 2);
      for (int i = 0; i < inputs; ++i) add(input(link.in[static_cast<std::size_t>(i)], as));
    }
    for (int p = 0; p < text.parameters; ++p)
      add(with_type(as, [&](auto zero) { return literal(saturate<decltype(zero)>(link.parameters[static_cast<std::size_t>(p)])); }));
    if (forward || text.inputs == 1) {
      element_ += fmt::format("        const {} v{} = formula::{}::{}({});\n", type(dtype(link.out[0])), link.out[0],
                              text.name, forward ? "forward" : "backward", arguments);
      return;
    }
    element_ += fmt::format("        const auto both{} = formula::{}::backward({});\n", links_, text.name, arguments);
    const std::size_t first = text.is_where ? 1 : 0;
    for (std::size_t i = 0; i < 2; ++i)
      if (const int out = link.out[first + i]; out != Link::kNothing)
        element_ += fmt::format("        const {} v{} = both{}.{};\n", type(dtype(out)), out, links_, i == 0 ? 'a' : 'b');
    ++links_;
  }

  void add_update(const Link& link) {
    const Update& call = chain_.updates[static_cast<std::size_t>(link.update)].call;
    const auto in = [&](std::size_t i) { return input(link.in[i], call.dtype); };
    const int u = link.update;
    element_ += fmt::format("        Element<{0}> element{1}{{{2}, {3}{4}, {5}, {6}}};\n", type(call.dtype), u, in(0),
                            call.maximize ? "-" : "", in(1), in(2), in(3));
    std::string numbers = fmt::format("common{}", u);
    if (has_numbers_per_set(call)) {
      numbers = fmt::format("numbers{}", u);
      const std::string biases = has_biases_per_set(call) ? fmt::format("update{0}.rule.biases(set{0}, taken{0})", u)
                                                          : fmt::format("biases{}", u);
      element_ += fmt::format("        const std::int64_t set{0} = update{0}.set(first + k);\n"
                              "        const auto {1} = update{0}.rule.numbers(set{0}, {2});\n", u, numbers, biases);
    }
    element_ += fmt::format("        update{0}.rule.step({1}, element{0}, taken{0});\n", u, numbers);
    const char* const members[] = {"value", "first", "second"};
    for (std::size_t i = 0; i < 3; ++i)
      if (link.out[i] != Link::kNothing)
        element_ += fmt::format("        const {} v{} = element{}.{};\n", type(call.dtype), link.out[i], u, members[i]);
  }

  void write() {
    std::string& text = kernel_.source;
    text = "#include \"chain.cuh\"\n\n#include <luge/math/elementwise.h>\n\nusing namespace luge::cuda;\n\n"
           "extern \"C\" __global__ void __launch_bounds__(kThreads) ";
    text += ChainKernel::kName;
    text += "(" + parameters_ + ") {\n" + before_;
    text += fmt::format("  for (ChainWalk<{}> walk(space); walk.inside(); walk.advance()) {{\n", reduces_ ? "kChunk" : "kLap");
    text += states_;
    text += "    for (std::int64_t at = walk.begin(); at < walk.end(); at += walk.step()) {\n"
            "      const std::int64_t first = walk.row() * space.length + at;\n"
            "      const int count = walk.end() - at < kRun ? static_cast<int>(walk.end() - at) : kRun;\n";
    text += load_;
    text += "#pragma unroll\n      for (int k = 0; k < kRun; ++k) {\n        if (k >= count) break;\n";
    text += element_ + keep_ + "      }\n" + store_ + "    }\n" + chunk_ + "  }\n";
    if (needs_last_) text += after_ + "  if (!is_last_block(finished)) return;\n" + last_;
    text += "}\n";
  }

  const Chain& chain_;
  const std::function<void*(std::size_t)>& allocate_;
  bool reduces_, needs_last_ = false;
  ChainSpace space_{};
  int links_ = 0;
  ChainKernel kernel_;
  std::string parameters_;
  // The parts of the kernel: before the loop; of a chunk: its beginning, of a run of elements: loads, of an
  // element: what it computes and where that goes, stores; the chunk's end; what the last block does.
  std::string before_, states_, load_, element_, keep_, store_, chunk_, after_, last_;
};

}  // namespace

ChainKernel generate(const Chain& chain, unsigned* finished, const std::function<void*(std::size_t)>& allocate) {
  return Generator(chain, allocate).run(finished);
}

}  // namespace luge::cuda
