#pragma once
// Internal: what an optimizer's options are, and which rule they choose.

#include <memory>
#include <string>
#include <vector>

#include <luge/train/detail/hyper.h>
#include <luge/train/optimizer.h>

namespace luge {

/// One kind of optimizer: the options of a parameter group by name.
struct OptimizerKind {
  struct Value {
    std::string name;
    PerSet standard;
    Allowed allowed = Allowed::Finite;
    int hyper = kUnused;         ///< where kernels read it
    bool at_start_only = false;  ///< read once, when the group is made
  };
  struct Flag {
    std::string name;
    bool standard = false;
  };
  static constexpr int kUnused = -1;

  std::string name;  ///< "Sgd"
  std::vector<Value> values;
  std::vector<Flag> flags;
  bool has_rule = true;
  std::vector<std::string> states = {};  ///< what it keeps with each parameter; without a rule that says so

  std::size_t value(std::string_view name) const;
  std::size_t flag(std::string_view name) const;
};

/// The kind that has these options.
template <class Options>
std::shared_ptr<const OptimizerKind> kind_of();
template <class Options>
OptimizerSettings settings_of(const Options& options);

/// The rule of a group of this kind; `on` are its flags, `plays(name)` says whether some set may have a value besides 0.
UpdateRule rule_of(const OptimizerKind& kind, const std::vector<bool>& on,
                   const std::function<bool(std::string_view)>& plays);

}  // namespace luge
