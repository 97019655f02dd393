#include "source.h"

#include <algorithm>
#include <optional>
#include <string_view>

// Under nvcc fmt takes itself for less constexpr than it is, and format strings cannot be checked.
#define FMT_USE_CONSTEXPR 1
#define FMT_CONSTEVAL
#include <fmt/format.h>

#include "../chain.cuh"
#include "../reduce.cuh"
#include "../walk.cuh"
#include "expressions.h"

namespace luge::cuda {

namespace {

/// Lines, further to the right.
std::string indented(std::string_view text, std::size_t columns) {
  std::string result;
  while (!text.empty()) {
    const std::size_t end = text.find('\n') + 1;
    result += text[0] == '#' ? "" : std::string(columns, ' ');
    result += text.substr(0, end);
    text.remove_prefix(end);
  }
  return result;
}

/// Where the text of a kernel goes. Without repetition `enter`, `step` and `leave` are empty.
struct Parts {
  std::string before;    ///< once per thread
  std::string enter;     ///< at the beginning of a chunk
  std::string load;      ///< of a run of neighbours, before the steps
  std::string step;      ///< at the beginning of a step
  std::string states;    ///< of a chunk's sums in a step
  std::string run;       ///< before a run's elements
  std::string element;   ///< what one element computes, and where that goes
  std::string store;     ///< of a run; with repetition at the last step
  std::string chunk;     ///< at the end of a chunk's step
  std::string leave;     ///< of a run, after the steps
  std::string fence;     ///< before the last block is found
  std::string last;      ///< by the last block
};

class Generator {
 public:
  Generator(const Chain& chain, bool repeats, const std::function<void*(std::size_t)>& allocate)
      : chain_(chain),
        allocate_(allocate),
        repeats_(repeats),
        reduces_(!chain.reductions.empty() || !chain.recordings.empty()) {}

  ChainKernel run(unsigned* finished) {
    lay_out_space();
    add_loads();
    for (const Link& link : chain_.links) parts_.element += statements(chain_, link, links_++);
    add_stores();
    add_updates();
    add_reductions();
    add_recordings();
    parameters_ += ",\n    unsigned* const finished";
    kernel_.arguments.add(finished);
    if (repeats_) {
      parameters_ += ",\n    const int steps";
      kernel_.steps = kernel_.arguments.add(1);
    }
    write();
    return std::move(kernel_);
  }

 private:
  template <class T>
  void parameter(const std::string& type, const std::string& name, const T& value) {
    parameters_ += fmt::format("{}\n    const {} {}", parameters_.empty() ? "" : ",", type, name);
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
        const char* const t = type_name(w.dtype);
        if (is_scalar(w)) {
          parameter(fmt::format("{}*", t), fmt::format("load{}", i), data);
          parts_.before += fmt::format("const {} v{} = *load{};\n", t, v, i);
        } else if (is_contiguous(w)) {
          parameter(fmt::format("Source<{}>", t), fmt::format("load{}", i), Source<T>{data, T{}, access(data, w.dtype)});
          if (repeats_) parts_.enter += fmt::format("Pack<{}, kRun> in{}[kLaps]{{}};\n", t, i);
          const std::string pack = repeats_ ? fmt::format("in{}[lap]", i) : fmt::format("const Pack<{}, kRun> in{}", t, i);
          parts_.load += fmt::format("{} = load<kRun>(load{}, first, count);\n", pack, i);
          parts_.element += fmt::format("const {} v{} = in{}{}.values[k];\n", t, v, i, lap());
        } else {
          parameter(fmt::format("{}*", t), fmt::format("load{}", i), data);
          add_walk(fmt::format("load{}_walk", i), w);
          parts_.element += fmt::format("const {} v{} = load{}[load{}_walk.offset(first + k)];\n", t, v, i, i);
        }
      });
    }
  }
  const char* lap() const { return repeats_ ? "[lap]" : ""; }

  /// The load of contiguous memory that a later step finds as this store has left it.
  std::optional<std::size_t> load_of(const Operand& stored) const {
    for (std::size_t i = 0; i < chain_.loads.size(); ++i)
      if (chain_.loads[i].memory.data == stored.data && is_contiguous(chain_.loads[i].memory)) return i;
    return std::nullopt;
  }

  void add_stores() {
    for (std::size_t i = 0; i < chain_.stores.size(); ++i) {
      const auto& [value, window] = chain_.stores[i];
      with_type(window.dtype, [&, v = value, &w = window](auto zero) {
        using T = decltype(zero);
        auto* const data = static_cast<T*>(w.data);
        const char* const t = type_name(w.dtype);
        if (is_contiguous(w)) {
          parameter(fmt::format("Sink<{}>", t), fmt::format("store{}", i), Sink<T>{data, false, access(data, w.dtype)});
          if (const auto load = load_of(w); load && repeats_) {
            parts_.element += fmt::format("in{}[lap].values[k] = v{};\n", *load, v);
            parts_.leave += fmt::format("store<kRun>(store{}, first, count, in{}[lap]);\n", i, *load);
            return;
          }
          parts_.run += fmt::format("Pack<{}, kRun> out{}{{}};\n", t, i);
          parts_.element += fmt::format("out{}.values[k] = v{};\n", i, v);
          parts_.store += fmt::format("store<kRun>(store{}, first, count, out{});\n", i, i);
        } else {
          parameters_ += fmt::format(",\n    {}* const store{}", t, i);
          kernel_.arguments.add(data);
          add_walk(fmt::format("store{}_walk", i), w);
          parts_.element += fmt::format("store{}[store{}_walk.offset(first + k)] = v{};\n", i, i, v);
        }
      });
    }
  }

  template <template <class> class Rule, class T>
  void add_rule(std::size_t i, const char* name, const Chain::UpdatePart& part) {
    const Update& call = part.call;
    const std::int64_t per_set = call.layout.per_set[part.parameter];
    const std::string rule = fmt::format("{}<{}>", name, type_name(call.dtype));
    parameter(fmt::format("ChainUpdate<{}>", rule), fmt::format("update{}", i),
              ChainUpdate<Rule<T>>{Rule<T>(call), call.steps, per_set});
    if (repeats_) {
      parts_.before += fmt::format("LUGE_SHARED({1}::Biases, biases_of{0}, kMostSteps);\n"
                                   "const std::int64_t begun{0} = *update{0}.steps;\n"
                                   "update{0}.fill_biases(biases_of{0}, begun{0}, steps);\n", i, rule);
      parts_.step += fmt::format("const std::int64_t taken{0} = begun{0} + step;\n"
                                 "const auto biases{0} = biases_of{0}[step];\n", i);
    } else {
      parts_.before += fmt::format("const std::int64_t taken{0} = *update{0}.steps;\n"
                                   "const auto biases{0} = update{0}.biases(taken{0});\n", i);
    }
    (repeats_ ? parts_.step : parts_.before) +=
        fmt::format("const auto common{0} = update{0}.rule.numbers(0, biases{0});\n", i);
    if (part.counts_step)
      parts_.last += fmt::format("if (threadIdx.x == 0) *update{0}.steps = {1}{0} + {2};\n", i,
                                 repeats_ ? "begun" : "taken", repeats_ ? "steps" : "1");
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
    if (repeats_ && !chain_.updates.empty()) parts_.before += "__syncthreads();\n";
  }

  template <class R>
  void add_sum(std::size_t i, const std::string& reducer, const Chain::Reduction& reduction) {
    const Reduce& call = reduction.call;
    Target<R> target = target_of<R>(call);
    if (space_.chunks > 1) {
      const std::int64_t states = space_.rows * space_.chunks + divide_up(space_.chunks, kChunk);
      target.partials = static_cast<double*>(allocate_(static_cast<std::size_t>(states) * sizeof(double)));
    }
    // Nobody sees the sums of the steps before the last.
    const char* const include = repeats_ ? "if (is_last) " : "";
    const char* const write = repeats_ ? "is_last && " : "";
    parameter(fmt::format("Target<{}>", reducer), fmt::format("sum{}", i), target);
    parts_.states += fmt::format("double state{0} = 0;\n", i);
    parts_.element += fmt::format("{0}state{1} = {2}{{}}.include(state{1}, v{3}, 0);\n", include, i, reducer, reduction.value);
    parts_.chunk += fmt::format("state{0} = walk.reduce(state{0}, {1}{{}});\n"
                                "if ({2}walk.leads()) sum{0}.write({1}{{}}, walk.row(), walk.chunk(), space.chunks, state{0});\n",
                                i, reducer, write);
    if (call.reduced == call.extent.ndim)
      parts_.last = fmt::format("if (space.chunks > 1) finish_total({}{{}}, sum{}, space.chunks);\n", reducer, i) + parts_.last;
    else if (space_.chunks > 1)
      kernel_.unfinished.push_back({call, target.partials, space_.rows, space_.chunks});
  }

  void add_reductions() {
    for (std::size_t i = 0; i < chain_.reductions.size(); ++i) {
      const Chain::Reduction& reduction = chain_.reductions[i];
      const bool mean = reduction.call.op == ReduceOp::Mean;
      const std::string reducer = fmt::format("Sum<{}, {}>", type_name(dtype(reduction.value)), mean);
      const auto add = [&]<class T>(T) {
        mean ? add_sum<Sum<T, true>>(i, reducer, reduction) : add_sum<Sum<T, false>>(i, reducer, reduction);
      };
      dtype(reduction.value) == DType::Float64 ? add(double{}) : add(float{});
    }
  }

  void add_recordings() {
    for (std::size_t i = 0; i < chain_.recordings.size(); ++i) {
      const auto& [value, call] = chain_.recordings[i];
      const std::int64_t partials = summary_partials(call.n) * (repeats_ ? kMostSteps : 1);
      const Ring ring{call.ring, call.rows, call.kept, call.capacity, call.counter,
                      static_cast<Summary*>(allocate_(static_cast<std::size_t>(partials) * sizeof(Summary)))};
      parameter("Ring", fmt::format("ring{}", i), ring);
      const std::string step = fmt::format("recorded{}{}", i, repeats_ ? " + step" : "");
      parts_.before += fmt::format("const std::int64_t recorded{0} = ring{0}.step();\n", i);
      parts_.states += fmt::format("Summary summary{} = Summarize{{}}.identity();\n", i);
      parts_.element += fmt::format("summary{0} = Summarize{{}}.include(summary{0}, v{1});\n"
                                    "ring{0}.keep({2}, first + k, v{1});\n", i, value, step);
      parts_.chunk += fmt::format("summary{0} = walk.reduce(summary{0}, Summarize{{}});\n"
                                  "if (walk.leads()) ring{0}.partials[{1}walk.chunk()] = summary{0};\n", i,
                                  repeats_ ? "step * summary_partials(space.length) + " : "");
      parts_.fence = "__threadfence_system();  // the rows of losses are for the host\n";
      if (repeats_)
        kernel_.unfinished_records.push_back({call, ring.partials});
      else
        parts_.last += fmt::format("ring{0}.finish({1}, space.length);\nring{0}.count({1} + 1);\n", i, step);
    }
  }

  static std::string of_run(std::string_view at) {
    return fmt::format("const std::int64_t first = walk.row() * space.length + {0};\n"
                       "const int count = walk.end() - {0} < kRun ? static_cast<int>(walk.end() - {0}) : kRun;\n", at);
  }
  /// Statements for each run of a chunk, with `lap` known to the compiler: what laps hold are registers.
  static std::string by_lap(const std::string& text) {
    if (text.empty()) return "";
    return "#pragma unroll\nfor (int lap = 0; lap < kLaps; ++lap) {\n"
           "  const std::int64_t at = walk.begin() + lap * walk.step();\n  if (at >= walk.end()) break;\n" +
           indented(of_run("at") + text, 2) + "}\n";
  }
  std::string elements() const {
    return "#pragma unroll\nfor (int k = 0; k < kRun; ++k) {\n  if (k >= count) break;\n" + indented(parts_.element, 2) + "}\n";
  }

  std::string chunk() const {
    return parts_.states + "for (std::int64_t at = walk.begin(); at < walk.end(); at += walk.step()) {\n" +
           indented(of_run("at") + parts_.load + parts_.run + elements() + parts_.store, 2) + "}\n" + parts_.chunk;
  }
  std::string repeated_chunk() const {
    const std::string store = parts_.store.empty() ? "" : "if (is_last) {\n" + indented(parts_.store, 2) + "}\n";
    return parts_.enter + by_lap(parts_.load) +
           "#pragma unroll 1\nfor (int step = 0; step < steps; ++step) {\n"
           "  [[maybe_unused]] const bool is_last = step == steps - 1;\n" +
           indented(parts_.step + parts_.states + by_lap(parts_.run + elements() + store) + parts_.chunk, 2) + "}\n" +
           by_lap(parts_.leave);
  }

  void write() {
    const char* const size = reduces_ ? "kChunk" : "kLap";
    std::string body = parts_.before;
    if (repeats_) body += fmt::format("constexpr int kLaps = {} / kLap;\n", size);
    body += fmt::format("for (ChainWalk<{}> walk(space); walk.inside(); walk.advance()) {{\n", size) +
            indented(repeats_ ? repeated_chunk() : chunk(), 2) + "}\n" + parts_.fence;
    if (!parts_.last.empty()) body += "if (!is_last_block(finished)) return;\n" + parts_.last;
    kernel_.source = fmt::format("#include \"chain.cuh\"\n\n#include <luge/math/elementwise.h>\n\n"
                                 "using namespace luge::cuda;\n\n"
                                 "extern \"C\" __global__ void __launch_bounds__(kThreads) {}({}) {{\n{}}}\n",
                                 ChainKernel::kName, parameters_, indented(body, 2));
  }

  const Chain& chain_;
  const std::function<void*(std::size_t)>& allocate_;
  const bool repeats_, reduces_;
  ChainSpace space_{};
  int links_ = 0;
  ChainKernel kernel_;
  std::string parameters_;
  Parts parts_;
};

}  // namespace

int most_steps() { return kMostSteps; }

bool can_repeat(const Chain& chain) {
  return std::none_of(chain.reductions.begin(), chain.reductions.end(),
                      [](const Chain::Reduction& sum) { return sum.call.store == luge::Store::Accumulate; });
}

ChainKernel generate(const Chain& chain, Steps steps, unsigned* finished,
                     const std::function<void*(std::size_t)>& allocate) {
  return Generator(chain, steps == Steps::Many, allocate).run(finished);
}

}  // namespace luge::cuda
