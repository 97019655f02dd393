#include <luge/capture/detail/chain_builder.h>

#include <algorithm>

#include <luge/capture/detail/space.h>
#include <luge/tensor/detail/iteration.h>

namespace luge {

namespace {

/// A window on contiguous memory.
Operand contiguous_window(void* data, DType dtype) {
  Operand window;
  window.kind = Operand::Kind::Memory;
  window.dtype = dtype;
  window.data = data;
  window.strides[0] = 1;
  return window;
}

Extent flat_extent(std::int64_t n) {
  Extent extent;
  extent.ndim = 1;
  extent.sizes[0] = n;
  return extent;
}

ChainInput number(const Operand& immediate) {
  return {.kind = ChainInput::Kind::Number, .value = -1, .number = immediate};
}

}  // namespace

bool ChainBuilder::takes(const Call& call) {
  const auto even = [](const Operand& operand, const Extent& extent) {
    return operand.is_absent() || walks_evenly(operand, extent);
  };
  if (const auto* const formula = std::get_if<Elementwise>(&call)) {
    for (int i = 0; i < formula->inputs; ++i)
      if (!even(formula->in[static_cast<std::size_t>(i)], formula->extent)) return false;
    for (int i = 0; i < formula->outputs; ++i)
      if (!even(formula->out[static_cast<std::size_t>(i)], formula->extent)) return false;
    return true;
  }
  const auto* const copy = std::get_if<Copy>(&call);
  return copy && copy->in.dtype == copy->out.dtype && !is_storage_only(copy->in.dtype) &&
         even(copy->in, copy->extent) && even(copy->out, copy->extent);
}

ChainBuilder::ChainBuilder(const Call& call) {
  chain_.extent = std::visit(
      [](const auto& kind) {
        if constexpr (requires { kind.extent; })
          return kind.extent;
        else
          return flat_extent(1);
      },
      call);
  if (chain_.extent.ndim == 0) chain_.extent = flat_extent(1);
  add(call);
}

ChainBuilder::ChainBuilder(const Update& call, int parameter) {
  chain_.extent = flat_extent(call.layout.sets * call.layout.per_set[parameter]);
  read(part(call, parameter, call.grad));
  add(call, parameter);
}

bool ChainBuilder::add(const Call& call) {
  if (const auto* const formula = std::get_if<Elementwise>(&call)) return takes(call) && add_formula(*formula);
  if (const auto* const copy = std::get_if<Copy>(&call)) return takes(call) && add_copy(*copy);
  if (const auto* const reduce = std::get_if<Reduce>(&call)) return add_reduction(*reduce);
  if (const auto* const record = std::get_if<Record>(&call)) return add_recording(*record);
  return false;
}

// ---- windows ------------------------------------------------------------------------------------

Range ChainBuilder::range_of(const Operand& window) const {
  Operand copy = window;
  return luge::range_of(window_effect(copy, chain_.extent, true, true));
}

bool ChainBuilder::refine(const Extent& extent) {
  const std::optional<Extent> refinement = common_refinement(chain_.extent, extent);
  if (!refinement) return false;
  for (Known& known : known_) known.window = refined(known.window, chain_.extent, *refinement);
  for (auto* const windows : {&chain_.loads, &chain_.stores})
    for (Chain::Window& window : *windows) window.memory = refined(window.memory, chain_.extent, *refinement);
  chain_.extent = *refinement;
  return true;
}

const ChainBuilder::Known* ChainBuilder::find(const Operand& window) const {
  for (const Known& known : known_)
    if (same_window(known.window, window, chain_.extent)) return &known;
  return nullptr;
}

bool ChainBuilder::fits(const Operand& window, bool writes) const {
  if (!window.is_memory()) return true;
  const Range range = range_of(window);
  const auto overlaps = [&](const Range& other) { return other.overlaps(range); };
  if (std::any_of(outputs_.begin(), outputs_.end(), overlaps)) return false;
  if (writes && std::any_of(inputs_.begin(), inputs_.end(), overlaps)) return false;
  return std::all_of(known_.begin(), known_.end(), [&](const Known& known) {
    return !(writes || known.written) || !overlaps(range_of(known.window)) ||
           same_window(known.window, window, chain_.extent);
  });
}

int ChainBuilder::new_value(DType dtype) {
  chain_.values.push_back(dtype);
  return static_cast<int>(chain_.values.size()) - 1;
}

ChainInput ChainBuilder::read(const Operand& window) {
  if (window.is_immediate()) return number(window);
  if (!window.is_memory()) return {};
  if (const Known* const known = find(window))
    return {.kind = ChainInput::Kind::Value, .value = known->value, .number = {}};
  const int value = new_value(window.dtype);
  chain_.loads.push_back({value, window});
  known_.push_back({window, value, false});
  return {.kind = ChainInput::Kind::Value, .value = value, .number = {}};
}

void ChainBuilder::write(const Operand& window, int value) {
  for (Known& known : known_)
    if (same_window(known.window, window, chain_.extent)) {
      known.value = value;
      known.written = true;
      return;
    }
  known_.push_back({window, value, true});
}

// ---- calls --------------------------------------------------------------------------------------

bool ChainBuilder::add_formula(const Elementwise& call) {
  const ChainBuilder before = *this;
  if (!refine(call.extent)) return false;
  Link link;
  link.op = call.op;
  link.direction = call.direction;
  link.parameters = call.parameters;
  std::array<Operand, Elementwise::kMaxInputs> in;
  std::array<Operand, Elementwise::kMaxOutputs> out;
  bool fit = true;
  for (std::size_t i = 0; i < static_cast<std::size_t>(call.inputs); ++i) {
    in[i] = refined(call.in[i], call.extent, chain_.extent);
    fit = fit && fits(in[i], false);
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(call.outputs); ++i) {
    out[i] = refined(call.out[i], call.extent, chain_.extent);
    fit = fit && fits(out[i], true);
    // What this call itself reads is not known to the chain yet.
    for (std::size_t j = 0; fit && out[i].is_memory() && j < static_cast<std::size_t>(call.inputs); ++j)
      fit = !in[j].is_memory() || same_window(in[j], out[i], chain_.extent) ||
            !range_of(in[j]).overlaps(range_of(out[i]));
  }
  if (!fit) {
    *this = before;
    return false;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(call.inputs); ++i) link.in[i] = read(in[i]);
  std::array<ChainInput, Elementwise::kMaxOutputs> held;
  for (std::size_t i = 0; i < static_cast<std::size_t>(call.outputs); ++i)
    if (out[i].is_memory() && call.store[i] == Store::Accumulate) held[i] = read(out[i]);
  for (std::size_t i = 0; i < static_cast<std::size_t>(call.outputs); ++i)
    if (out[i].is_memory()) link.out[i] = new_value(out[i].dtype);
  chain_.links.push_back(link);
  for (std::size_t i = 0; i < static_cast<std::size_t>(call.outputs); ++i) {
    if (!out[i].is_memory()) continue;
    int value = link.out[i];
    if (call.store[i] == Store::Accumulate) {
      Link sum;
      sum.in[0] = held[i];
      sum.in[1] = {.kind = ChainInput::Kind::Value, .value = value, .number = {}};
      value = sum.out[0] = new_value(out[i].dtype);
      chain_.links.push_back(sum);
    }
    write(out[i], value);
  }
  return true;
}

bool ChainBuilder::add_copy(const Copy& call) {
  const ChainBuilder before = *this;
  if (!refine(call.extent)) return false;
  const Operand in = refined(call.in, call.extent, chain_.extent), out = refined(call.out, call.extent, chain_.extent);
  const bool apart = !in.is_memory() || same_window(in, out, chain_.extent) || !range_of(in).overlaps(range_of(out));
  if (!apart || !fits(in, false) || !fits(out, true)) {
    *this = before;
    return false;
  }
  const ChainInput source = read(in);
  if (call.store == Store::Overwrite && source.kind == ChainInput::Kind::Value) {
    write(out, source.value);
    return true;
  }
  // A number becomes a value by way of a sum with minus zero, which changes no bit of it.
  const bool floating = is_floating(out.dtype);
  if (call.store == Store::Overwrite && !floating) {
    *this = before;
    return false;
  }
  Link sum;
  sum.in[0] = call.store == Store::Accumulate ? read(out) : number(immediate(-0.0, out.dtype));
  sum.in[1] = source;
  sum.out[0] = new_value(out.dtype);
  chain_.links.push_back(sum);
  write(out, sum.out[0]);
  return true;
}

bool ChainBuilder::add_reduction(const Reduce& call) {
  if ((call.op != ReduceOp::Sum && call.op != ReduceOp::Mean) || !is_floating(call.in.dtype)) return false;
  Extent rows = call.extent;
  for (const Chain::Reduction& other : chain_.reductions) {  // loops handle rows of one length
    std::int64_t length = 1, own = 1;
    for (int d = other.call.extent.ndim - other.call.reduced; d < other.call.extent.ndim; ++d)
      length *= other.call.extent.sizes[static_cast<std::size_t>(d)];
    for (int d = rows.ndim - call.reduced; d < rows.ndim; ++d) own *= rows.sizes[static_cast<std::size_t>(d)];
    if (length != own) return false;
  }
  if (!chain_.recordings.empty() && call.reduced != call.extent.ndim) return false;
  const ChainBuilder before = *this;
  if (!refine(call.extent)) return false;
  const Known* const known = find(refined(call.in, call.extent, chain_.extent));
  Reduce copy = call;
  Range output{};
  for_each_effect(copy, [&](const Effect& effect) {
    if (effect.writes) output = luge::range_of(effect);
  });
  const bool free =
      std::none_of(known_.begin(), known_.end(),
                   [&](const Known& other) { return range_of(other.window).overlaps(output); }) &&
      std::none_of(outputs_.begin(), outputs_.end(), [&](const Range& other) { return other.overlaps(output); });
  if (!known || !known->written || !free) {
    *this = before;
    return false;
  }
  copy.in.kind = Operand::Kind::Absent;
  chain_.reductions.push_back({known->value, copy});
  outputs_.push_back(output);
  return true;
}

bool ChainBuilder::add_recording(const Record& call) {
  for (const Chain::Reduction& other : chain_.reductions)
    if (other.call.reduced != other.call.extent.ndim) return false;
  const ChainBuilder before = *this;
  if (!refine(flat_extent(call.n))) return false;
  const Known* const known = find(refined(call.losses, flat_extent(call.n), chain_.extent));
  if (!known || !known->written || !chain_.recordings.empty()) {
    *this = before;
    return false;
  }
  Record copy = call;
  copy.losses.kind = Operand::Kind::Absent;
  chain_.recordings.push_back({known->value, copy});
  for_each_effect(copy, [&](const Effect& effect) {
    if (effect.writes) outputs_.push_back(luge::range_of(effect));
  });
  return true;
}

Operand ChainBuilder::part(const Update& call, int parameter, const void* block) const {
  const auto offset = call.layout.offset[parameter] * static_cast<std::int64_t>(size_of(call.dtype));
  const Operand window = contiguous_window(static_cast<char*>(const_cast<void*>(block)) + offset, call.dtype);
  return refined(window, flat_extent(call.layout.sets * call.layout.per_set[parameter]), chain_.extent);
}

Operand ChainBuilder::flags_of(const Update& call) const {
  const Hyper& active = call.hyper[Update::kActive];
  if (active.stride != 1 && call.layout.sets > 1) return {};
  const Operand window = contiguous_window(const_cast<void*>(active.data), call.dtype);
  return refined(window, flat_extent(call.layout.sets), chain_.extent);
}

bool ChainBuilder::add(const Update& call, int parameter) {
  const std::int64_t n = call.layout.sets * call.layout.per_set[parameter];
  if (n == 0) return false;
  const ChainBuilder before = *this;
  if (!refine(flat_extent(n))) return false;
  const auto window = [&](const void* block) { return part(call, parameter, block); };
  const Operand gradient = window(call.grad), value = window(call.value);
  bool fit = find(gradient) && fits(gradient, false) && fits(value, true);
  const std::span states(call.state.data(), static_cast<std::size_t>(traits(call.rule).states));
  for (const void* const block : states) fit = fit && fits(window(block), true);
  // Flags that the chain itself has just made, one for each of its elements.
  const Operand flags = call.layout.per_set[parameter] == 1 && call.has_idle() ? flags_of(call) : Operand();
  const Known* const made = flags.is_memory() ? find(flags) : nullptr;
  const bool makes_flags = made && made->written;
  std::vector<Range> read_besides;
  for_each_effect(call, [&](const Effect& effect) {
    const void* const data = *effect.data;
    if (call.is_block(data) || (makes_flags && data == flags.data)) return;
    read_besides.push_back(luge::range_of(effect));
    fit = fit && std::none_of(known_.begin(), known_.end(), [&](const Known& known) {
            return known.written && range_of(known.window).overlaps(read_besides.back());
          });
    fit = fit && std::none_of(outputs_.begin(), outputs_.end(),
                              [&](const Range& output) { return output.overlaps(read_besides.back()); });
  });
  if (!fit) {
    *this = before;
    return false;
  }
  Link link;
  link.is_update = true;
  link.update = static_cast<int>(chain_.updates.size());
  link.in[0] = read(value);
  link.in[1] = read(gradient);
  for (std::size_t i = 0; i < states.size(); ++i) link.in[2 + i] = read(window(states[i]));
  if (makes_flags) link.in[Link::kActive] = read(flags);
  for (std::size_t i = 0; i <= states.size(); ++i) link.out[i] = new_value(call.dtype);
  chain_.links.push_back(link);
  write(value, link.out[0]);
  for (std::size_t i = 0; i < states.size(); ++i) write(window(states[i]), link.out[1 + i]);
  chain_.updates.push_back({parameter, call, false});
  inputs_.insert(inputs_.end(), read_besides.begin(), read_besides.end());
  return true;
}

void ChainBuilder::count(const Update& call) {
  Chain::UpdatePart& part = chain_.updates.back();
  part.counts_step = true;
  const auto steps = reinterpret_cast<std::intptr_t>(call.steps);
  outputs_.push_back({steps, steps + static_cast<std::intptr_t>(sizeof *call.steps)});
}

// ---- the result ---------------------------------------------------------------------------------

Chain ChainBuilder::finish(const std::function<bool(const Operand&, const Extent&)>& needed) const {
  Chain chain = chain_;
  std::vector<bool> wanted(chain.values.size());
  for (const Known& known : known_) {
    if (!known.written || !needed(known.window, chain.extent)) continue;
    chain.stores.push_back({known.value, known.window});
    wanted[static_cast<std::size_t>(known.value)] = true;
  }
  std::erase_if(chain.reductions, [&](const Chain::Reduction& reduction) {
    Extent kept = reduction.call.extent;
    kept.ndim -= reduction.call.reduced;
    return !needed(reduction.call.out, kept);
  });
  for (const Chain::Reduction& reduction : chain.reductions) wanted[static_cast<std::size_t>(reduction.value)] = true;
  for (const Chain::Recording& recording : chain.recordings) wanted[static_cast<std::size_t>(recording.value)] = true;

  std::vector<Link> links;
  for (auto link = chain.links.rbegin(); link != chain.links.rend(); ++link) {
    bool any = false;
    for (int& out : link->out) {
      if (out == Link::kNothing) continue;
      // An update's results belong together; of a formula's only the wanted ones are computed.
      if (wanted[static_cast<std::size_t>(out)])
        any = true;
      else if (!link->is_update)
        out = Link::kNothing;
    }
    if (!any) continue;
    for (const ChainInput& in : link->in)
      if (in.kind == ChainInput::Kind::Value) wanted[static_cast<std::size_t>(in.value)] = true;
    links.push_back(*link);
  }
  std::reverse(links.begin(), links.end());
  chain.links = std::move(links);
  std::erase_if(chain.loads, [&](const Chain::Window& load) { return !wanted[static_cast<std::size_t>(load.value)]; });
  std::vector<Operand*> windows;
  for (auto* const list : {&chain.loads, &chain.stores})
    for (Chain::Window& window : *list) windows.push_back(&window.memory);
  merge_dims(chain.extent, 0, windows);
  if (chain.extent.ndim == 0) {
    chain.extent = flat_extent(1);
    for (Operand* const window : windows) window->strides[0] = 1;
  }
  return chain;
}

}  // namespace luge
