#include <luge/train/detail/optimizer_kind.h>

#include <array>

#include <luge/base/detail/check.h>
#include <luge/math/updates.h>

namespace luge {

namespace {

namespace formula = math::scalar;
using Value = OptimizerKind::Value;

template <class List>
std::string names_of(const List& list) {
  std::string names;
  for (const auto& one : list) names += (names.empty() ? "" : ", ") + one.name;
  return names;
}

/// Lists an options struct: list(name, member) for each hyperparameter and each flag.
template <class List>
void list_options(const List& list, const SgdOptions& o) {
  list("lr", o.lr), list("momentum", o.momentum), list("dampening", o.dampening);
  list("weight_decay", o.weight_decay), list("nesterov", o.nesterov), list("maximize", o.maximize);
}
template <class List>
void list_options(const List& list, const AdamOptions& o) {
  list("lr", o.lr), list("beta1", o.beta1), list("beta2", o.beta2), list("epsilon", o.epsilon);
  list("weight_decay", o.weight_decay), list("maximize", o.maximize), list("amsgrad", o.amsgrad);
  list("decoupled_weight_decay", o.decoupled_weight_decay);
}
template <class List>
void list_options(const List& list, const AdamWOptions& o) {
  list("lr", o.lr), list("beta1", o.beta1), list("beta2", o.beta2), list("epsilon", o.epsilon);
  list("weight_decay", o.weight_decay), list("maximize", o.maximize), list("amsgrad", o.amsgrad);
}
template <class List>
void list_options(const List& list, const RmsPropOptions& o) {
  list("lr", o.lr), list("alpha", o.alpha), list("epsilon", o.epsilon), list("weight_decay", o.weight_decay);
  list("momentum", o.momentum), list("centered", o.centered), list("maximize", o.maximize);
}
template <class List>
void list_options(const List& list, const AdagradOptions& o) {
  list("lr", o.lr), list("lr_decay", o.lr_decay), list("weight_decay", o.weight_decay);
  list("initial_accumulator_value", PerSet(o.initial_accumulator_value)), list("epsilon", o.epsilon);
  list("maximize", o.maximize);
}
template <class List>
void list_options(const List& list, const AdadeltaOptions& o) {
  list("lr", o.lr), list("rho", o.rho), list("epsilon", o.epsilon), list("weight_decay", o.weight_decay);
  list("maximize", o.maximize);
}
template <class List>
void list_options(const List& list, const AdamaxOptions& o) {
  list("lr", o.lr), list("beta1", o.beta1), list("beta2", o.beta2), list("epsilon", o.epsilon);
  list("weight_decay", o.weight_decay), list("maximize", o.maximize);
}
template <class List>
void list_options(const List& list, const NAdamOptions& o) {
  list("lr", o.lr), list("beta1", o.beta1), list("beta2", o.beta2), list("epsilon", o.epsilon);
  list("weight_decay", o.weight_decay), list("momentum_decay", o.momentum_decay);
  list("decoupled_weight_decay", o.decoupled_weight_decay), list("maximize", o.maximize);
}
template <class List>
void list_options(const List& list, const RAdamOptions& o) {
  list("lr", o.lr), list("beta1", o.beta1), list("beta2", o.beta2), list("epsilon", o.epsilon);
  list("weight_decay", o.weight_decay), list("decoupled_weight_decay", o.decoupled_weight_decay);
  list("maximize", o.maximize);
}
template <class List>
void list_options(const List& list, const AsgdOptions& o) {
  list("lr", o.lr), list("lambd", o.lambd), list("alpha", o.alpha), list("t0", o.t0);
  list("weight_decay", o.weight_decay), list("maximize", o.maximize);
}
template <class List>
void list_options(const List& list, const RpropOptions& o) {
  list("lr", o.lr), list("eta_minus", o.eta_minus), list("eta_plus", o.eta_plus), list("step_min", o.step_min);
  list("step_max", o.step_max), list("maximize", o.maximize);
}
template <class List>
void list_options(const List& list, const LionOptions& o) {
  list("lr", o.lr), list("beta1", o.beta1), list("beta2", o.beta2), list("weight_decay", o.weight_decay);
  list("maximize", o.maximize);
}

/// Where the kernels of a kind read a hyperparameter, and what it may be.
struct Place {
  const char* name;
  int hyper;
  Allowed allowed = Allowed::Finite;
};
constexpr Place kMoments[] = {{"beta1", formula::Adam::kBeta1, Allowed::BelowOne},
                              {"beta2", formula::Adam::kBeta2, Allowed::BelowOne},
                              {"epsilon", formula::Adam::kEpsilon}};
static_assert(int(formula::Adam::kEpsilon) == int(formula::Adamax::kEpsilon) &&
              int(formula::Adam::kEpsilon) == int(formula::NAdam::kEpsilon) &&
              int(formula::Adam::kEpsilon) == int(formula::RAdam::kEpsilon) &&
              int(formula::Adam::kBeta2) == int(formula::Lion::kBeta2));

template <class Options>
struct KindTraits;
template <>
struct KindTraits<SgdOptions> {
  static constexpr const char* kName = "Sgd";
  static constexpr Place kPlaces[] = {{"momentum", formula::MomentumSgd::kMomentum},
                                      {"dampening", formula::MomentumSgd::kDampening}};
};
template <>
struct KindTraits<AdamOptions> {
  static constexpr const char* kName = "Adam";
  static constexpr auto& kPlaces = kMoments;
};
template <>
struct KindTraits<AdamWOptions> {
  static constexpr const char* kName = "AdamW";
  static constexpr auto& kPlaces = kMoments;
};
template <>
struct KindTraits<RmsPropOptions> {
  static constexpr const char* kName = "RmsProp";
  static constexpr Place kPlaces[] = {{"alpha", formula::RmsProp::kAlpha, Allowed::BelowOne},
                                      {"epsilon", formula::RmsProp::kEpsilon},
                                      {"momentum", formula::RmsProp::kMomentum}};
};
template <>
struct KindTraits<AdagradOptions> {
  static constexpr const char* kName = "Adagrad";
  static constexpr Place kPlaces[] = {{"lr_decay", formula::Adagrad::kLrDecay},
                                      {"epsilon", formula::Adagrad::kEpsilon}};
};
template <>
struct KindTraits<AdadeltaOptions> {
  static constexpr const char* kName = "Adadelta";
  static constexpr Place kPlaces[] = {{"rho", formula::Adadelta::kRho, Allowed::UpToOne},
                                      {"epsilon", formula::Adadelta::kEpsilon}};
};
template <>
struct KindTraits<AdamaxOptions> {
  static constexpr const char* kName = "Adamax";
  static constexpr auto& kPlaces = kMoments;
};
template <>
struct KindTraits<NAdamOptions> {
  static constexpr const char* kName = "NAdam";
  static constexpr Place kPlaces[] = {
      kMoments[0], kMoments[1], kMoments[2], {"momentum_decay", formula::NAdam::kMomentumDecay}};
};
template <>
struct KindTraits<RAdamOptions> {
  static constexpr const char* kName = "RAdam";
  static constexpr auto& kPlaces = kMoments;
};
template <>
struct KindTraits<AsgdOptions> {
  static constexpr const char* kName = "Asgd";
  static constexpr Place kPlaces[] = {{"lambd", formula::Asgd::kLambda},
                                      {"alpha", formula::Asgd::kAlpha},
                                      {"t0", formula::Asgd::kStart, Allowed::Number}};
};
template <>
struct KindTraits<RpropOptions> {
  static constexpr const char* kName = "Rprop";
  static constexpr Place kPlaces[] = {{"eta_minus", formula::Rprop::kSmaller, Allowed::InsideOne},
                                      {"eta_plus", formula::Rprop::kLarger, Allowed::AboveOne},
                                      {"step_min", formula::Rprop::kLeast},
                                      {"step_max", formula::Rprop::kMost}};
};
template <>
struct KindTraits<LionOptions> {
  static constexpr const char* kName = "Lion";
  static constexpr Place kPlaces[] = {kMoments[0], kMoments[1]};
};

template <class Options>
std::shared_ptr<const OptimizerKind> make_kind() {
  using Traits = KindTraits<Options>;
  auto kind = std::make_shared<OptimizerKind>();
  kind->name = Traits::kName;
  const OptimizerSettings standard = settings_of(Options());
  for (const auto& [name, value] : standard.values) {
    Value& option = kind->values.emplace_back(Value{.name = name, .standard = value});
    if (name == "lr") option.hyper = math::kLr;
    if (name == "weight_decay") option.hyper = math::kWeightDecay;
    for (const Place& place : Traits::kPlaces)
      if (name == place.name) option.hyper = place.hyper, option.allowed = place.allowed;
    option.at_start_only = option.hyper == OptimizerKind::kUnused;
  }
  for (const auto& [name, on] : standard.flags) kind->flags.push_back({name, on});
  return kind;
}

}  // namespace

std::size_t OptimizerKind::value(std::string_view option) const {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i].name == option && !values[i].at_start_only) return i;
  raise<ValueError>("{}: there is no hyperparameter '{}'; it has {}", name, option, names_of(values));
}

std::size_t OptimizerKind::flag(std::string_view option) const {
  for (std::size_t i = 0; i < flags.size(); ++i)
    if (flags[i].name == option) return i;
  raise<ValueError>("{}: there is no flag '{}'; it has {}", name, option, names_of(flags));
}

template <class Options>
OptimizerSettings settings_of(const Options& options) {
  OptimizerSettings result;
  struct List {
    OptimizerSettings& to;
    void operator()(const char* name, const PerSet& value) const { to.values.emplace_back(name, value); }
    void operator()(const char* name, bool on) const { to.flags.emplace_back(name, on); }
  };
  list_options(List{result}, options);
  return result;
}

template <class Options>
std::shared_ptr<const OptimizerKind> kind_of() {
  static const std::shared_ptr<const OptimizerKind> kind = make_kind<Options>();
  return kind;
}

UpdateRule rule_of(const OptimizerKind& kind, const std::vector<bool>& on,
                   const std::function<bool(std::string_view)>& plays) {
  const auto flag = [&](const char* name) { return bool(on[kind.flag(name)]); };
  if (kind.name == "Sgd") {
    if (!plays("momentum")) return UpdateRule::Sgd;
    return flag("nesterov") ? UpdateRule::NesterovSgd : UpdateRule::MomentumSgd;
  }
  if (kind.name == "Adam" && !flag("decoupled_weight_decay"))
    return flag("amsgrad") ? UpdateRule::AmsgradAdam : UpdateRule::Adam;
  if (kind.name == "Adam" || kind.name == "AdamW") return flag("amsgrad") ? UpdateRule::AmsgradAdamW : UpdateRule::AdamW;
  if (kind.name == "RmsProp") {
    if (plays("momentum"))
      return flag("centered") ? UpdateRule::CenteredMomentumRmsProp : UpdateRule::MomentumRmsProp;
    return flag("centered") ? UpdateRule::CenteredRmsProp : UpdateRule::RmsProp;
  }
  if (kind.name == "Adagrad") return UpdateRule::Adagrad;
  if (kind.name == "Adadelta") return UpdateRule::Adadelta;
  if (kind.name == "Adamax") return UpdateRule::Adamax;
  if (kind.name == "NAdam") return flag("decoupled_weight_decay") ? UpdateRule::DecoupledNAdam : UpdateRule::NAdam;
  if (kind.name == "RAdam") return flag("decoupled_weight_decay") ? UpdateRule::DecoupledRAdam : UpdateRule::RAdam;
  if (kind.name == "Asgd") return UpdateRule::Asgd;
  if (kind.name == "Rprop") return UpdateRule::Rprop;
  if (kind.name == "Lion") return UpdateRule::Lion;
  return UpdateRule::Sgd;  // it has none of its own, and keeps nothing here
}

#define LUGE_KIND(Options)                                            \
  template std::shared_ptr<const OptimizerKind> kind_of<Options>();   \
  template OptimizerSettings settings_of<Options>(const Options& options);
LUGE_KIND(SgdOptions)
LUGE_KIND(AdamOptions)
LUGE_KIND(AdamWOptions)
LUGE_KIND(RmsPropOptions)
LUGE_KIND(AdagradOptions)
LUGE_KIND(AdadeltaOptions)
LUGE_KIND(AdamaxOptions)
LUGE_KIND(NAdamOptions)
LUGE_KIND(RAdamOptions)
LUGE_KIND(AsgdOptions)
LUGE_KIND(RpropOptions)
LUGE_KIND(LionOptions)
#undef LUGE_KIND

}  // namespace luge
