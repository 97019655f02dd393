#pragma once
// Internal: what a checkpoint is of, as one list of tensors and a few texts.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <luge/train/checkpoint.h>

namespace luge {

/// A tensor of a checkpoint.
struct CheckpointSlot {
  /// What shapes it takes from a file.
  enum class Fits : std::uint8_t {
    Same,       ///< its own
    Hyper,      ///< its own; by sets, () or the file's sets: a hyperparameter
    OneOrSets,  ///< (), or (sets): a hyperparameter that may change between the two
    Rows,       ///< its own but for the first size and the last: a history
  };

  std::string name;
  Tensor value;  ///< as it is now
  Fits fits = Fits::Same;
  /// Whether the first axis of `value` is the sets.
  bool by_sets = false;
  /// Takes a value of that dtype, on the CPU. Null: value.copy_().
  std::function<void(const Tensor&)> put = {};
  /// Whether a file without it stands for one with zeros.
  bool zeros_if_absent = false;
  /// Whether `put` calls functions of the user: it comes first, and is taken back if it throws.
  bool may_throw = false;
};

class CheckpointParts {
 public:
  enum class Purpose : std::uint8_t {
    Save,
    Load,  ///< the history is not collected: its columns are empty
  };
  /// Throws ValueError for parts that do not belong together. `has_begun`: the file that is to be loaded says when sets
  /// began anew.
  CheckpointParts(const char* op, const checkpoint::Parts& parts, Purpose purpose, bool has_begun = false);
  /// What says that in a file.
  static constexpr const char* kBegun = "optimizer/begun";

  const std::vector<CheckpointSlot>& slots() const { return slots_; }
  /// Whether tensors of that name belong to a part that was given.
  bool covers(std::string_view name) const;
  /// What must be the same in the file: "optimizer": "Adam", "schedules": "LinearLr, StepLr", "monitor": "keep_sets 2".
  const Metadata& identity() const { return identity_; }
  /// What must be the same in a file that says it: each group's options that are on or off, and its rule:
  /// "optimizer/nesterov": "true", "optimizer/1/rule": "AdamW". Files of before do not say it.
  const Metadata& options() const { return options_; }
  /// The arena of the parameters; absent: loose tensors alone.
  const std::optional<Parameters>& arena() const { return arena_; }

  /// Where the loader is: the metadata "loader". Empty: there is none.
  std::string loader_place() const;
  struct Place {
    std::int64_t epoch, index;
  };
  /// Throws ValueError for another loader's place than this one's.
  Place parse_loader_place(const std::string& path, const std::string& text) const;

  /// Takes the tensors, one for each slot; undefined: it stays as it is. The columns of the history must be of one
  /// length, with losses of as many sets as the monitor takes.
  void take(const std::vector<Tensor>& values);
  void take(Place place);

 private:
  void add_params();
  void add_optimizer(bool has_begun);
  void add_group(std::size_t group, const std::string& prefix, bool has_begun);
  /// The model's names for parameters of the group's arena, which may have numbers alone. Throws ValueError for a
  /// parameter of the group that is not among those given.
  std::map<std::string, std::string> names_in(std::size_t group) const;
  /// The first one, and those of the optimizer's further groups.
  std::vector<Parameters> arenas() const;
  void add_schedules();
  void take_what_may_throw(const std::vector<Tensor>& values);
  void add_monitor(Purpose purpose);
  void add(std::string name, const Tensor& value, CheckpointSlot::Fits fits = CheckpointSlot::Fits::Same,
           std::function<void(const Tensor&)> put = {});

  const char* op_;
  const checkpoint::Parts& parts_;
  std::optional<Parameters> arena_;
  std::vector<CheckpointSlot> slots_;
  std::vector<std::string> sections_;
  Metadata identity_, options_;
};

/// A history as the columns that a checkpoint has: seconds, mean, min, max, not_finite, sets. And back.
std::vector<std::pair<std::string, Tensor>> columns_of(const std::vector<HistoryRow>& rows);
std::vector<HistoryRow> rows_of(const std::vector<Tensor>& columns);

}  // namespace luge
