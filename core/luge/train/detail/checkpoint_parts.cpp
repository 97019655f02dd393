#include <luge/train/detail/checkpoint_parts.h>

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/train/detail/hyper.h>
#include <luge/train/detail/optimizer_state.h>

namespace luge {

using Fits = CheckpointSlot::Fits;
using Json = nlohmann::ordered_json;

// ---- a history as columns -----------------------------------------------------------------------

std::vector<std::pair<std::string, Tensor>> columns_of(const std::vector<HistoryRow>& rows) {
  const auto count = static_cast<std::int64_t>(rows.size());
  const auto column = [&](auto member) {
    std::vector<double> values;
    for (const HistoryRow& row : rows) values.push_back(row.*member);
    return from_host(values, {count});
  };
  std::vector<std::int64_t> not_finite;
  std::vector<double> sets;
  for (const HistoryRow& row : rows) {
    not_finite.push_back(row.not_finite);
    sets.insert(sets.end(), row.sets.begin(), row.sets.end());
  }
  const std::int64_t kept = rows.empty() ? 0 : static_cast<std::int64_t>(rows.front().sets.size());
  return {{"seconds", column(&HistoryRow::seconds)},
          {"mean", column(&HistoryRow::mean)},
          {"min", column(&HistoryRow::min)},
          {"max", column(&HistoryRow::max)},
          {"not_finite", from_host(not_finite, {count})},
          {"sets", from_host(sets, {count, kept})}};
}

std::vector<HistoryRow> rows_of(const std::vector<Tensor>& columns) {
  const auto seconds = columns[0].to_vector<double>({}), mean = columns[1].to_vector<double>({}),
             min = columns[2].to_vector<double>({}), max = columns[3].to_vector<double>({}),
             sets = columns[5].to_vector<double>({});
  const auto not_finite = columns[4].to_vector<std::int64_t>({});
  const auto kept = columns[5].size(1);
  std::vector<HistoryRow> rows;
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    const auto first = sets.begin() + static_cast<std::ptrdiff_t>(i) * kept;
    rows.push_back({.step = static_cast<std::int64_t>(i),
                    .seconds = seconds[i],
                    .mean = mean[i],
                    .min = min[i],
                    .max = max[i],
                    .not_finite = not_finite[i],
                    .sets = {first, first + kept}});
  }
  return rows;
}

// ---- the parts ----------------------------------------------------------------------------------

CheckpointParts::CheckpointParts(const char* op, const checkpoint::Parts& parts, Purpose purpose, bool has_begun)
    : op_(op), parts_(parts) {
  arena_ = parts.params;
  if (parts.optimizer) {
    Parameters& own = parts.optimizer->parameters();
    LUGE_CHECK(ValueError, !arena_ || *arena_ == own, "{}: the optimizer steps other parameters than the params given",
               op);
    arena_ = own;
  }
  add_monitor(purpose);
  add_params();
  add_optimizer(has_begun);
  add_schedules();
}

void CheckpointParts::add(std::string name, const Tensor& value, Fits fits, std::function<void(const Tensor&)> put) {
  const bool batched = arena_ && arena_->batched();
  const bool by_sets = batched && fits != Fits::Rows && value.ndim() > 0 && value.size(0) == arena_->sets();
  slots_.push_back({std::move(name), value, fits, by_sets, std::move(put)});
}

void CheckpointParts::add_params() {
  if (!parts_.params && parts_.tensors.empty()) return;
  sections_.emplace_back("params/");
  if (parts_.params)
    for (const std::string& name : parts_.params->names()) add("params/" + name, (*parts_.params)[name].detach());
  for (const auto& [name, tensor] : parts_.tensors) {
    LUGE_CHECK(ValueError, tensor.defined(), "{}: tensor '{}' is undefined", op_, name);
    for (int d = 0; d < tensor.ndim(); ++d)
      LUGE_CHECK(ValueError, tensor.strides()[d] != 0 || tensor.size(d) <= 1,
                 "{}: tensor '{}' of shape {} repeats its elements, as expand() does; give a clone() of it", op_, name,
                 to_string(tensor.shape()));
    for (const CheckpointSlot& slot : slots_)
      LUGE_CHECK(ValueError, slot.name != "params/" + name, "{}: the name '{}' is given twice", op_, name);
    add("params/" + name, tensor.detach());
  }
}

void CheckpointParts::add_optimizer(bool has_begun) {
  if (arena_) {
    sections_.emplace_back("sets/");
    const std::vector<Parameters> all = arenas();
    for (std::size_t i = 0; i < all.size(); ++i)
      add(i == 0 ? "sets/active" : fmt::format("sets/{}/active", i), all[i].active(), Fits::Same,
          [arena = all[i]](const Tensor& mask) mutable {
            const Tensor own = arena.active(), given = mask.to(arena.device());
            // A step that was captured while all sets moved cannot go on after this.
            if (own.ne(given).any().item<bool>({})) arena.set_active(given);
          });
  }
  if (!parts_.optimizer) return;
  sections_.emplace_back("optimizer/");
  identity_["optimizer"] =
      fmt::format("{}{}", traits(parts_.optimizer->rule()).rule, parts_.optimizer->maximize() ? ", maximize" : "");
  for (std::size_t group = 0; group < parts_.optimizer->groups(); ++group)
    add_group(group, group == 0 ? "optimizer/" : fmt::format("optimizer/{}/", group), has_begun);
}

std::vector<Parameters> CheckpointParts::arenas() const {
  std::vector<Parameters> result{*arena_};
  if (!parts_.optimizer) return result;
  for (std::size_t group = 1; group < parts_.optimizer->groups(); ++group) {
    const Parameters home = *Parameters::home_of(parts_.optimizer->params(group)[0]);
    if (std::ranges::find(result, home) == result.end()) result.push_back(home);
  }
  return result;
}

std::map<std::string, std::string> CheckpointParts::names_in(std::size_t group) const {
  const std::vector<Tensor> leaves = parts_.optimizer->params(group);
  const Parameters home = *Parameters::home_of(leaves[0]);
  const bool may_be_absent = parts_.params ? *parts_.params == home : parts_.tensors.empty();
  std::map<std::string, std::string> names;
  for (const std::string& member : home.names()) {
    const Tensor leaf = home[member];
    const auto is_leaf = [&](const Tensor& other) { return other.storage() == leaf.storage(); };
    for (const auto& [name, tensor] : parts_.tensors)
      if (is_leaf(tensor)) names.emplace(member, name);
    LUGE_CHECK(ValueError, may_be_absent || names.contains(member) || std::ranges::none_of(leaves, is_leaf),
               "{}: the optimizer steps a tensor of shape {}, its parameter '{}', that is not among the params given",
               op_, to_string(leaf.shape()), member);
  }
  return names;
}

void CheckpointParts::add_group(std::size_t group, const std::string& prefix, bool has_begun) {
  const std::map<std::string, std::string> names = names_in(group);
  for (const std::string& flag : parts_.optimizer->flag_names())
    options_[prefix + flag] = parts_.optimizer->flag(flag, group) ? "true" : "false";
  if (group > 0) options_[prefix + "rule"] = traits(parts_.optimizer->state_->call(group).rule).rule;
  const bool begins = parts_.optimizer->begun_so_far(group).defined();
  if (begins || has_begun) {
    const TensorOptions each{.dtype = DType::Int64, .device = arena_->device()};
    const Tensor value = begins ? parts_.optimizer->begun_so_far(group) : zeros({arena_->sets()}, each);
    add(prefix + "begun", value, Fits::Same, [optimizer = parts_.optimizer, group](const Tensor& steps) {
      if (Tensor begun = optimizer->begun(group); begun.defined()) begun.copy_(steps);
    });
    slots_.back().zeros_if_absent = true;
  }
  for (const auto& [name, value] : parts_.optimizer->named_state(group)) {
    if (name == "begun") continue;
    const std::size_t dot = name.find('.');
    if (name == "dampening") {
      // What was given: sets without momentum step without it, and have it once they are given a momentum.
      add(prefix + name, parts_.optimizer->value(name, group), Fits::OneOrSets,
          [optimizer = parts_.optimizer, group](const Tensor& values) {
            optimizer->set_value("dampening", values, group);
          });
      continue;
    }
    if (dot == std::string::npos) {
      std::function<void(const Tensor&)> put;
      if (name == "lr")
        put = [rate = parts_.optimizer->rate(group)](const Tensor& lr) { rate->assign(lr.to(rate->values.device())); };
      const Fits fits = name == "lr" ? Fits::OneOrSets : name == "step" ? Fits::Same : Fits::Hyper;
      add(prefix + name, value, fits, std::move(put));
      continue;
    }
    const auto shown = names.find(name.substr(dot + 1));
    add(fmt::format("{}{}.{}", prefix, name.substr(0, dot),
                    shown == names.end() ? name.substr(dot + 1) : shown->second),
        value);
  }
}

void CheckpointParts::add_schedules() {
  if (parts_.schedules.empty()) return;
  LUGE_CHECK(ValueError, parts_.optimizer, "{}: a schedule is given without its optimizer", op_);
  sections_.emplace_back("schedule/");
  const std::shared_ptr<LearningRate>& rate = parts_.optimizer->lr_;
  for (std::size_t i = 0; i < parts_.schedules.size(); ++i) {
    LUGE_CHECK(ValueError, parts_.schedules[i], "{}: schedule {} is null", op_, i);
    LUGE_CHECK(ValueError, parts_.schedules[i]->lrs_[0] == rate, "{}: schedule {} is not of the optimizer given", op_, i);
  }
  std::string& kinds = identity_["schedules"];
  add("schedule/base", rate->base, Fits::OneOrSets,
      [rate](const Tensor& base) { rate->assign_base(base.to(rate->values.device())); });
  for (std::size_t i = 0; i < rate->schedules.size(); ++i) {
    const std::shared_ptr<ScheduleTerm>& term = rate->schedules[i];
    kinds += (i > 0 ? ", " : "") + term->kind;
    add(fmt::format("schedule/{}.steps", i), term->count, Fits::Same,
        [term](const Tensor& steps) { term->go_on(steps.item<std::int64_t>({})); });
    slots_.back().may_throw = true;
    for (std::size_t part = 0; part < term->begun.size(); ++part)
      add(fmt::format("schedule/{}.part_{}.begun", i, part), term->begun[part]);
    for (const auto& [name, tensor] : term->hooks.state) add(fmt::format("schedule/{}.{}", i, name), tensor, Fits::OneOrSets);
    add(fmt::format("schedule/{}.last_lr", i), term->last, Fits::OneOrSets,
        [term](const Tensor& value) { assign_in_place(term->last, value.to(term->last.device())); });
  }
  for (std::size_t group = 1; group < parts_.optimizer->groups(); ++group) {
    const std::shared_ptr<LearningRate>& own = parts_.optimizer->rate(group);
    if (!own->base.defined()) continue;  // the group came after the schedules
    add(fmt::format("schedule/{}/base", group), own->base, Fits::OneOrSets,
        [own](const Tensor& base) { own->assign_base(base.to(own->values.device())); });
    for (std::size_t i = 0; i < own->schedules.size(); ++i)
      add(fmt::format("schedule/{}/{}.last_lr", group, i), own->schedules[i]->last, Fits::OneOrSets,
          [term = own->schedules[i]](const Tensor& value) {
            assign_in_place(term->last, value.to(term->last.device()));
          });
  }
}

void CheckpointParts::add_monitor(Purpose purpose) {
  if (!parts_.monitor) return;
  sections_.emplace_back("monitor/");
  // A history goes on with losses of as many sets.
  identity_["monitor"] = fmt::format("keep_sets {}", parts_.monitor->keep_sets());
  for (auto& [name, column] :
       columns_of(purpose == Purpose::Save ? parts_.monitor->history({}) : std::vector<HistoryRow>()))
    add("monitor/" + name, column, Fits::Rows);
}

bool CheckpointParts::covers(std::string_view name) const {
  return std::ranges::any_of(sections_, [&](const std::string& section) { return name.starts_with(section); });
}

std::string CheckpointParts::loader_place() const {
  if (!parts_.loader) return {};
  const Batches& batches = parts_.loader->batches();
  return Json{{"epoch", parts_.loader->epoch()}, {"index", parts_.loader->index()},
              {"samples", batches.count()},      {"batch", batches.options().batch},
              {"seed", batches.options().seed},  {"shuffle", batches.options().shuffle}}
      .dump();
}

CheckpointParts::Place CheckpointParts::parse_loader_place(const std::string& path, const std::string& text) const {
  const Json told = Json::parse(text, nullptr, false), own = Json::parse(loader_place());
  LUGE_CHECK(ValueError,
             told.is_object() && told.contains("epoch") && told["epoch"].is_number_integer() &&
                 told.contains("index") && told["index"].is_number_integer(),
             "{}: '{}' has no place of such a loader", op_, path);
  for (const char* const key : {"samples", "batch", "seed", "shuffle"})
    LUGE_CHECK(ValueError, told.contains(key) && told[key] == own[key],
               "{}: '{}' is of a loader whose {} is {}; here it is {}", op_, path, key,
               told.contains(key) ? told[key].dump() : "absent", own[key].dump());
  const Place place{told["epoch"].get<std::int64_t>(), told["index"].get<std::int64_t>()};
  LUGE_CHECK(ValueError, place.epoch >= 0 && place.index >= 0 && place.index < parts_.loader->batches().size(),
             "{}: '{}' has a loader's place at epoch {}, index {}", op_, path, place.epoch, place.index);
  return place;
}

void CheckpointParts::take(const std::vector<Tensor>& values) {
  const NoGrad guard;
  take_what_may_throw(values);
  std::vector<Tensor> columns;
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].fits == Fits::Rows && values[i].defined()) columns.push_back(values[i]);
  if (columns.size() == 6) parts_.monitor->restore(rows_of(columns), {});
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const CheckpointSlot& slot = slots_[i];
    if (slot.fits == Fits::Rows || slot.may_throw || !values[i].defined()) continue;
    if (slot.put)
      slot.put(values[i]);
    else
      Tensor(slot.value).copy_(values[i]);
  }
}

void CheckpointParts::take_what_may_throw(const std::vector<Tensor>& values) {
  std::vector<std::pair<const CheckpointSlot*, Tensor>> before;
  try {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (!slots_[i].may_throw || !values[i].defined()) continue;
      const Tensor own = slots_[i].value.clone();
      slots_[i].put(values[i]);
      before.emplace_back(&slots_[i], own);
    }
  } catch (...) {
    for (const auto& [slot, own] : before) slot->put(own);
    throw;
  }
}

void CheckpointParts::take(Place place) { parts_.loader->seek(place.epoch, place.index); }

}  // namespace luge
