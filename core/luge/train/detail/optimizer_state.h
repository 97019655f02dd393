#pragma once
// Internal: what an optimizer keeps.

#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <luge/train/detail/arena.h>
#include <luge/train/detail/optimizer_kind.h>

namespace luge {

/// The parameter groups with their hyperparameters and buffers in device memory, and the calls that use them, filled
/// once and run at every step.
class Optimizer::State {
 public:
  /// A group before it is made: all of an arena, or leaves.
  struct Draft {
    std::optional<Parameters> whole;
    std::vector<Tensor> leaves;
    OptimizerSettings settings;
  };

  /// Nothing of the parameters has changed if it throws.
  State(std::shared_ptr<const OptimizerKind> kind, std::vector<Draft> drafts);
  static std::vector<Draft> drafts_of(const std::vector<SettingsGroup>& groups);

  void step();
  void zero_grad();
  void add_group(Draft draft);
  void set_lr(const PerSet& lr, std::size_t group, SourceLocation location);
  void set_value(std::string_view name, const PerSet& value, std::size_t group, SourceLocation location);
  void set_flag(std::string_view name, bool on, std::size_t group);
  void set_steps(std::int64_t steps, std::size_t group);
  Tensor begun(std::size_t group);

  const OptimizerKind& kind() const { return *kind_; }
  std::size_t groups() const { return groups_.size(); }
  Parameters& parameters() { return homes_.front().parameters; }
  const std::shared_ptr<LearningRate>& rate(std::size_t group) const { return at(group).rate; }
  const Tensor& steps(std::size_t group) const { return at(group).steps; }
  const Tensor& begun_so_far(std::size_t group) const { return at(group).begun; }
  const Tensor& initial_moments(std::size_t group) const { return at(group).initial; }
  const Update& call(std::size_t group) const { return at(group).call; }
  std::vector<Tensor> params(std::size_t group) const;
  Tensor value(std::string_view name, std::size_t group) const;
  Tensor stepped_sets(std::size_t group) const;
  bool flag(std::string_view name, std::size_t group) const { return at(group).flags[kind_->flag(name)]; }
  std::vector<std::pair<std::string, Tensor>> state_of(std::size_t group, std::size_t i) const;
  /// Those besides lr that play a part, by name.
  std::vector<std::pair<std::string, Tensor>> hyperparameters(std::size_t group) const;
  std::vector<Tensor> state() const;
  std::vector<std::pair<std::string, Tensor>> named_state(std::size_t group) const;

 private:
  using Arena = Parameters::Arena;

  /// An arena and, in blocks of its layout, what is kept with its parameters.
  struct Home {
    Parameters parameters;
    std::vector<std::pair<std::string, Ref<Storage>>> blocks = {};
    bool whole = false;  ///< all of its parameters are in groups
  };
  /// Where the parameters of a group are: those of an arena by number.
  struct Place {
    std::size_t home = 0;
    std::vector<std::size_t> places = {};
    std::vector<bool> members = {};  ///< of all of the arena's; empty: all are
  };
  struct Setting {
    Tensor values;
    bool given_as_tensor = false, plays = false;
    Tensor in_force = {};  ///< what the steps read, where it is not the values as they are
    const Tensor& read() const { return in_force.defined() ? in_force : values; }
  };
  /// What a recorded step was made for.
  struct Form {
    bool has_begun = false;  ///< whether some set may have begun anew
    std::int64_t version = 0;
    std::string changed = {};
    bool is_filled = false;  ///< whether the moments have what they begin with
  };
  struct Group {
    Place place;
    Update call = {};
    std::vector<Setting> settings = {};  ///< of each hyperparameter of the kind; of lr it is in `rate`
    std::vector<bool> flags = {};
    std::shared_ptr<LearningRate> rate = std::make_shared<LearningRate>();
    Tensor steps = {}, begun = {}, initial = {};
    std::shared_ptr<Form> form = std::make_shared<Form>();
  };

  const Group& at(std::size_t group) const;
  Group& at(std::size_t group) { return const_cast<Group&>(std::as_const(*this).at(group)); }
  const char* name() const { return kind_->name.c_str(); }
  static Arena& arena(const Home& home) { return *home.parameters.arena_; }
  Tensor values(const char* name, const PerSet& given, Allowed allowed, const Home& home, Waiting waiting,
                SourceLocation location) const {
    return hyper_values(this->name(), name, given, allowed, home.parameters, waiting, location);
  }

  /// Each tensor once, however often it is given: weights may be tied.
  std::vector<Tensor> checked_leaves(const std::vector<Tensor>& given, const Tensor& first) const;
  /// The places of groups; arenas that are not there yet are added to `homes`.
  std::vector<Place> placed(const std::vector<Draft>& drafts, std::vector<Home>& homes) const;
  Place place_of(const Parameters& parameters, const std::vector<Tensor>& leaves, std::vector<Home>& homes) const;
  Group make_group(Place place, Home& home, const OptimizerSettings& settings) const;
  /// The rule that the options choose, and its blocks.
  void choose_rule(Group& group, Home& home) const;
  void put_dampening_in_force(Group& group) const;
  bool plays(const Group& group, std::string_view name) const;
  /// Names of what is kept with each parameter.
  std::vector<std::string> state_names(const Group& group) const;
  void step(Group& group);
  void mark_change(Group& group, std::string_view name) const;
  void expect_form(const Group& group) const;
  /// visit(member) for the group's, in the order of the arena.
  template <class Visit>
  static void for_each_member(const Group& group, const Home& home, const Visit& visit);
  static Tensor window(const Ref<Storage>& block, DType dtype, const Arena::Member& member);
  void note_whole_homes();

  std::shared_ptr<const OptimizerKind> kind_;
  std::vector<Home> homes_;
  std::vector<Group> groups_;
};

}  // namespace luge
