#include "chain_text.h"

#include <array>
#include <optional>

// Under nvcc fmt takes itself for less constexpr than it is, and format strings cannot be checked.
#define FMT_USE_CONSTEXPR 1
#define FMT_CONSTEVAL
#include <fmt/format.h>
#include <luge/base/detail/dispatch.h>


#include "../reduce.cuh"
#include "../walk.cuh"
#include "expressions.h"

namespace luge::cuda {

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

namespace {

/// Where the text of a chain goes. Without repetition `leave` is empty.
struct Parts {
  std::string enter;     ///< before the elements
  std::string load;      ///< of a run of neighbours; with repetition in registers before the steps
  std::string step;      ///< at the beginning of a step
  std::string states;    ///< of a chunk's sums in a step
  std::string run;       ///< before a run's elements
  std::string element;   ///< what one element computes, and where that goes
  std::string store;     ///< of a run; with repetition in registers at the last step
  std::string chunk;     ///< at the end of a chunk's step
  std::string leave;     ///< of a run, after the steps
};

class Generator {
 public:
  Generator(KernelText& text, const Chain& chain, Steps steps, const ChainSpace& space, std::int64_t sets)
      : text_(text),
        chain_(chain),
        repeats_(steps == Steps::Many),
        by_sets_(steps == Steps::BySets),
        reduces_(!chain.reductions.empty() || !chain.recordings.empty()),
        space_(space),
        sets_(sets) {}

  ChainParts run() {
    const int number = text_.chains++;
    space_name_ = fmt::format("space{}", number);
    text_.kernel.share = &text_.parameter("ChainSpace", space_name_, space_)->share;
    if (by_sets_) text_.parameter("int", fmt::format("rows{}", number), static_cast<int>(space_.rows / sets_));
    add_loads();
    int links = 0;
    for (const Link& link : chain_.links) parts_.element += statements(chain_, link, links++, text_.updates);
    add_stores();
    add_updates();
    add_reductions();
    add_recordings();
    result_.body = body(number);
    return std::move(result_);
  }

 private:
  DType dtype(int value) const { return chain_.values[static_cast<std::size_t>(value)]; }

  /// Whether it is one number for all elements; a single element is not.
  bool is_scalar(const Operand& window) const {
    bool moves = false;
    for (int d = 0; d < chain_.extent.ndim; ++d) {
      const auto at = static_cast<std::size_t>(d);
      moves = moves || (chain_.extent.sizes[at] > 1 && window.strides[at] != 0);
    }
    return chain_.extent.count() > 1 && !moves;
  }
  bool is_contiguous(const Operand& window) const {
    std::int64_t next = 1;
    for (int d = chain_.extent.ndim - 1; d >= 0; --d) {
      const auto at = static_cast<std::size_t>(d);
      if (chain_.extent.sizes[at] == 1) continue;
      if (window.strides[at] != next) return false;
      next *= chain_.extent.sizes[at];
    }
    return true;
  }
  /// Whether every run of four elements of this memory may be moved at once.
  Access access(const void* data, DType dtype) const {
    const bool even = space_.rows == 1 || space_.length % kRun == 0;
    return even && reinterpret_cast<std::uintptr_t>(data) % (size_of(dtype) * kRun) == 0 ? Access::Packed
                                                                                         : Access::Single;
  }
  /// The argument that says how memory is walked that is not contiguous; returns the element's offset.
  std::string add_walk(const std::string& name, const Operand& window) {
    if (by_sets_) {
      text_.parameter("SetWindow", name + "_window", *set_window(chain_.extent, window));
      return name + "_window.offset(walk.set(), inside + k)";
    }
    const Walk<1> walk = make_walk<1>(dims(chain_.extent), {window.strides.data()});
    if (repeats_) {
      text_.parameter("__grid_constant__ Walk<1>", name + "_walk", walk);
      return fmt::format("far_offset({}_walk, first + k)", name);
    }
    text_.parameter("Walk<1>", name + "_walk", walk);
    return name + "_walk.offset(first + k)";
  }

  void add_loads() {
    first_load_ = text_.loads;
    for (const auto& [value, window] : chain_.loads) {
      with_dtype(window.dtype, [&, i = text_.loads++, v = value, &w = window]<class T>() {
        const auto* const data = static_cast<const T*>(w.data);
        const char* const t = type_name(w.dtype);
        if (is_scalar(w)) {
          text_.parameter(fmt::format("{}*", t), fmt::format("load{}", i), data);
          // One set's number is an element that steps change.
          (by_sets_ ? parts_.enter : result_.before) += fmt::format("const {} v{} = *load{};\n", t, v, i);
        } else if (is_contiguous(w)) {
          text_.parameter(fmt::format("Source<{}>", t), fmt::format("load{}", i),
                          Source<T>{data, T{}, access(data, w.dtype)});
          if (repeats_) parts_.enter += fmt::format("Pack<{}, kRun> in{}[kLaps]{{}};\n", t, i);
          const std::string pack =
              repeats_ ? fmt::format("in{}[lap]", i) : fmt::format("const Pack<{}, kRun> in{}", t, i);
          parts_.load += fmt::format("{} = load<kRun>(load{}, first, count);\n", pack, i);
          parts_.element += fmt::format("const {} v{} = in{}{}.values[k];\n", t, v, i, lap());
        } else {
          text_.parameter(fmt::format("{}*", t), fmt::format("load{}", i), data);
          const std::string offset = add_walk(fmt::format("load{}", i), w);
          parts_.element += fmt::format("const {} v{} = load{}[{}];\n", t, v, i, offset);
        }
      });
    }
  }
  const char* lap() const { return repeats_ ? "[lap]" : ""; }

  /// The load of contiguous memory that a later step finds as this store has left it.
  std::optional<int> load_of(const Operand& stored) const {
    for (std::size_t i = 0; i < chain_.loads.size(); ++i)
      if (chain_.loads[i].memory.data == stored.data && is_contiguous(chain_.loads[i].memory))
        return first_load_ + static_cast<int>(i);
    return std::nullopt;
  }

  void add_stores() {
    for (const auto& [value, window] : chain_.stores) {
      with_dtype(window.dtype, [&, i = text_.stores++, v = value, &w = window]<class T>() {
        auto* const data = static_cast<T*>(w.data);
        const char* const t = type_name(w.dtype);
        if (is_contiguous(w)) {
          text_.parameter(fmt::format("Sink<{}>", t), fmt::format("store{}", i),
                          Sink<T>{data, false, access(data, w.dtype)});
          if (const auto load = load_of(w); load && repeats_) {
            parts_.element += fmt::format("in{}[lap].values[k] = v{};\n", *load, v);
            parts_.leave += fmt::format("store<kRun>(store{}, first, count, in{}[lap]);\n", i, *load);
            return;
          }
          parts_.run += fmt::format("Pack<{}, kRun> out{}{{}};\n", t, i);
          parts_.element += fmt::format("out{}.values[k] = v{};\n", i, v);
          parts_.store += fmt::format("store<kRun>(store{}, first, count, out{});\n", i, i);
        } else {
          text_.parameters += fmt::format(",\n    {}* const store{}", t, i);
          text_.kernel.arguments.add(data);
          const std::string offset = add_walk(fmt::format("store{}", i), w);
          parts_.element += fmt::format("store{}[{}] = v{};\n", i, offset, v);
        }
      });
    }
  }

  template <class Formula, class T>
  void add_rule(const char* name, const Chain::UpdatePart& part) {
    const int i = text_.updates++;
    const Update& call = part.call;
    const std::int64_t per_set = call.layout.per_set[part.parameter];
    const std::string rule = fmt::format("Rule<formula::{}, {}>", name, type_name(call.dtype));
    text_.parameter(fmt::format("ChainUpdate<{}>", rule), fmt::format("update{}", i),
                    ChainUpdate<Rule<Formula, T>>{Rule<Formula, T>(call), call.steps, per_set});
    const bool many = repeats_ || by_sets_;
    if (many) {
      result_.before += fmt::format("using Rule{0} = {1};\n"  // a macro's argument has no comma
                                    "LUGE_SHARED(Rule{0}::AtStep, step_numbers_of{0}, kMostSteps);\n"
                                    "const std::int64_t begun{0} = *update{0}.steps;\n"
                                    "update{0}.fill_step_numbers(step_numbers_of{0}, begun{0}, steps);\n", i, rule);
      parts_.step += fmt::format("const std::int64_t taken{0} = begun{0} + step;\n"
                                 "const auto step_numbers{0} = step_numbers_of{0}[step];\n", i);
    } else {
      result_.before += fmt::format("const std::int64_t taken{0} = *update{0}.steps;\n"
                                    "const auto step_numbers{0} = update{0}.step_numbers(taken{0});\n", i);
    }
    (many ? parts_.step : result_.before) +=
        fmt::format("const auto common{0} = update{0}.rule.numbers(0, step_numbers{0});\n", i);
    if (part.counts_step)
      result_.last += fmt::format("if (threadIdx.x == 0) *update{0}.steps = {1}{0} + {2};\n", i,
                                  many ? "begun" : "taken", many ? "steps" : "1");
  }

  void add_updates() {
    for (const Chain::UpdatePart& part : chain_.updates) {
      with_floating(part.call.dtype, [&]<class T>() {
        switch (part.call.rule) {
#define LUGE_ROW(Rule, ...) \
  case UpdateRule::Rule: return add_rule<math::scalar::Rule, T>(#Rule, part);
          LUGE_UPDATE_RULES(LUGE_ROW)
#undef LUGE_ROW
        }
      });
    }
  }

  template <class R>
  void add_sum(const std::string& reducer, const Chain::Reduction& reduction) {
    const int i = text_.sums++;
    const Reduce& call = reduction.call;
    if (by_sets_) return add_set_sum<R>(i, reducer, reduction);
    Target<R> target = target_of<R>(call);
    if (space_.chunks > 1) {
      const std::int64_t states = space_.rows == 1 ? total_partials(space_.chunks) : space_.rows * space_.chunks;
      target.partials = static_cast<double*>(text_.allocate(static_cast<std::size_t>(states) * sizeof(double)));
    }
    // Within one chain nobody sees the sums of the steps before the last.
    const char* const include = repeats_ ? "if (is_last) " : "";
    const char* const write = repeats_ ? "is_last && " : "";
    text_.parameter(fmt::format("Target<{}>", reducer), fmt::format("sum{}", i), target);
    parts_.states += fmt::format("double state{0} = 0;\n", i);
    parts_.element +=
        fmt::format("{0}state{1} = {2}{{}}.include(state{1}, v{3}, 0);\n", include, i, reducer, reduction.value);
    parts_.chunk += fmt::format(
        "state{0} = walk.reduce(state{0}, {1}{{}});\n"
        "if ({2}walk.leads()) sum{0}.write({1}{{}}, walk.row(), walk.chunk(), {3}.chunks, state{0});\n",
        i, reducer, write, space_name_);
    if (call.reduced == call.extent.ndim) {
      result_.group +=
          fmt::format("reduce_group({0}{{}}, sum{1}.partials, {2}.chunks, group);\n", reducer, i, space_name_);
      result_.last =
          fmt::format("if ({2}.chunks > 1) finish_total({0}{{}}, sum{1}, {2}.chunks);\n", reducer, i, space_name_) +
          result_.last;
    } else if (space_.chunks > 1)
      text_.kernel.unfinished.push_back({call, target.partials, space_.rows, space_.chunks});
  }

  template <class R>
  void add_set_sum(int i, const std::string& reducer, const Chain::Reduction& reduction) {
    const Reduce& call = reduction.call;
    Extent kept = call.extent;
    kept.ndim -= call.reduced;
    text_.parameter(fmt::format("SetTarget<{}>", reducer), fmt::format("sum{}", i),
                    SetTarget<R>{static_cast<typename R::Result*>(call.out.data), *set_window(kept, call.out),
                                 call.store == luge::Store::Accumulate});
    parts_.states += fmt::format("double state{0} = 0;\n", i);
    parts_.element += fmt::format("state{0} = {1}{{}}.include(state{0}, v{2}, 0);\n", i, reducer, reduction.value);
    parts_.chunk += fmt::format(
        "state{0} = walk.reduce(state{0}, {1}{{}});\n"
        "if (walk.leads()) sum{0}.write({1}{{}}, walk.set(), walk.number(), {2}.length, state{0});\n",
        i, reducer, space_name_);
  }

  void add_reductions() {
    for (const Chain::Reduction& reduction : chain_.reductions) {
      const bool mean = reduction.call.op == ReduceOp::Mean;
      const std::string reducer = fmt::format("Sum<{}, {}>", type_name(dtype(reduction.value)), mean);
      with_floating(dtype(reduction.value), [&]<class T>() {
        mean ? add_sum<Sum<T, true>>(reducer, reduction) : add_sum<Sum<T, false>>(reducer, reduction);
      });
    }
  }

  void add_recordings() {
    for (const auto& [value, call] : chain_.recordings) {
      const int i = text_.recordings++;
      const std::int64_t partials = summary_partials(call.n) * text_.kernel.most_steps;
      const auto bytes = static_cast<std::size_t>(partials) * sizeof(Summary);
      auto* const summaries = static_cast<Summary*>(text_.allocate(bytes));
      if (by_sets_) {
        add_history(i, value, call, summaries);
        continue;
      }
      text_.parameter("Ring", fmt::format("ring{}", i),
                      Ring{call.ring, call.rows, call.kept, call.capacity, call.counter, summaries});
      const std::string step = fmt::format("recorded{}{}", i, repeats_ ? " + step" : "");
      result_.before += fmt::format("const std::int64_t recorded{0} = ring{0}.step();\n", i);
      parts_.states += fmt::format("Summary summary{} = Summarize{{}}.identity();\n", i);
      parts_.element += fmt::format("summary{0} = Summarize{{}}.include(summary{0}, v{1});\n"
                                    "ring{0}.keep({2}, first + k, v{1});\n", i, value, step);
      const std::string of_step = repeats_ ? fmt::format("step * summary_partials({}.length) + ", space_name_) : "";
      parts_.chunk += fmt::format("summary{0} = walk.reduce(summary{0}, Summarize{{}});\n"
                                  "if (walk.leads()) ring{0}.partials[{1}walk.chunk()] = summary{0};\n", i, of_step);
      result_.fence = "__threadfence_system();  // the rows of losses are for the host\n";
      if (repeats_) {
        text_.kernel.unfinished_records.push_back({call, summaries, nullptr});
        continue;
      }
      result_.group += fmt::format("reduce_group(Summarize{{}}, ring{0}.partials, {1}.chunks, group);\n", i, space_name_);
      result_.last += fmt::format("ring{0}.finish({1}, {2}.length);\nring{0}.count({1} + 1);\n", i, step, space_name_);
    }
  }

  /// A set's losses are not neighbours in the order of the summary: another kernel makes that.
  void add_history(int i, int value, const Record& call, Summary* summaries) {
    with_floating(dtype(value), [&]<class T>() {
      const std::int64_t losses = call.n * text_.kernel.most_steps;
      auto* const history = static_cast<T*>(text_.allocate(static_cast<std::size_t>(losses) * sizeof(T)));
      text_.parameters += fmt::format(",\n    {}* const history{}", type_name(dtype(value)), i);
      text_.kernel.arguments.add(history);
      parts_.element +=
          fmt::format("history{0}[step * {1}.rows * {1}.length + first + k] = v{2};\n", i, space_name_, value);
      text_.kernel.unfinished_records.push_back({call, summaries, history});
    });
  }

  // ---- loops

  std::string of_run(std::string_view at) const {
    std::string text =
        fmt::format("const std::int64_t first = walk.row() * {1}.length + {0};\n"
                    "const int count = walk.end() - {0} < kRun ? static_cast<int>(walk.end() - {0}) : kRun;\n",
                    at, space_name_);
    if (by_sets_)
      text += fmt::format("[[maybe_unused]] const int inside = walk.number() * static_cast<int>({1}.length) + "
                          "static_cast<int>({0});\n", at, space_name_);
    return text;
  }
  /// Statements for each run of a chunk, with `lap` known to the compiler: what laps hold are registers.
  std::string by_lap(const std::string& text) const {
    if (text.empty()) return "";
    return "#pragma unroll\nfor (int lap = 0; lap < kLaps; ++lap) {\n"
           "  const std::int64_t at = walk.begin() + lap * walk.step();\n  if (at >= walk.end()) break;\n" +
           indented(of_run("at") + text, 2) + "}\n";
  }
  std::string elements() const {
    return "#pragma unroll\nfor (int k = 0; k < kRun; ++k) {\n  if (k >= count) break;\n" +
           indented(parts_.element, 2) + "}\n";
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

  std::string body(int number) const {
    if (by_sets_)
      return parts_.step + parts_.enter +
             fmt::format("for (SetRows walk(sets, space{0}, rows{0}); walk.inside(); walk.advance()) {{\n", number) +
             indented(chunk(), 2) + "}\n";
    const char* const size = reduces_ ? "kChunk" : "kLap";
    std::string text = repeats_ ? fmt::format("constexpr int kLaps = {} / kLap;\n", size) : "";
    text += fmt::format("for (ChainWalk<{}> walk({}); walk.inside(); walk.advance()) {{\n", size, space_name_);
    return text + indented(repeats_ ? repeated_chunk() : chunk(), 2) + "}\n";
  }

  KernelText& text_;
  const Chain& chain_;
  const bool repeats_, by_sets_, reduces_;
  const ChainSpace space_;
  const std::int64_t sets_;
  std::string space_name_;
  int first_load_ = 0;
  Parts parts_;
  ChainParts result_;
};

}  // namespace

std::optional<SetWindow> set_window(const Extent& extent, const Operand& window) {
  // A set's dimensions, joined where this memory permits.
  std::array<std::int64_t, kMaxDims> sizes, strides;
  std::size_t count = 0;
  for (int d = 1; d < extent.ndim; ++d) {
    const auto at = static_cast<std::size_t>(d);
    if (extent.sizes[at] == 1) continue;
    const bool joins = count > 0 && strides[count - 1] == window.strides[at] * extent.sizes[at];
    if (!joins) sizes[count++] = 1;
    sizes[count - 1] *= extent.sizes[at];
    strides[count - 1] = window.strides[at];
  }
  if (count > 2) return std::nullopt;
  SetWindow result{window.strides[0], count == 2 ? strides[0] : 0, count > 0 ? strides[count - 1] : 0,
                   count > 0 ? static_cast<int>(sizes[count - 1]) : 1, {}};
  result.divide = Divider(static_cast<unsigned>(result.columns));
  return result;
}

ChainSpace space_of(const Chain& chain, std::int64_t sets) {
  const std::int64_t count = chain.extent.count();
  ChainSpace space{1, count, 1, kWarp};
  if (sets > 0) space = {sets, count / sets, 1, kWarp};
  if (!chain.reductions.empty()) {
    const Reduce& call = chain.reductions.front().call;
    space.length = 1;
    for (int d = call.extent.ndim - call.reduced; d < call.extent.ndim; ++d)
      space.length *= call.extent.sizes[static_cast<std::size_t>(d)];
    space.rows = count / space.length;
  }
  const bool reduces = !chain.reductions.empty() || !chain.recordings.empty();
  space.chunks = sets > 0 ? 1 : divide_up(space.length, reduces ? kChunk : kLap);
  if (space.length <= kLap)
    for (space.lanes = 1; std::int64_t{space.lanes} * kRun < space.length;) space.lanes *= 2;
  return space;
}

ChainParts add_chain(KernelText& text, const Chain& chain, Steps steps, const ChainSpace& space, std::int64_t sets) {
  return Generator(text, chain, steps, space, sets).run();
}

}  // namespace luge::cuda
