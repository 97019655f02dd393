#include <luge/seam/detail/plan.h>

namespace luge {

void Chain::effects(Effects& effects) {
  for (Window& load : loads) effects.reads(load.memory, extent);
  for (Window& store : stores) effects.writes(store.memory, extent);
  for (Reduction& reduction : reductions) reduction.call.effects(effects);
  for (Recording& recording : recordings) recording.call.effects(effects);
  for (UpdatePart& part : updates) part.call.effects(effects);
}

void for_each_effect(Plan::Item& item, const Effects::Visit& visit) {
  std::visit([&](auto& either) { for_each_effect(either, visit); }, item);
}

}  // namespace luge
