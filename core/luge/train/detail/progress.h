#pragma once
// Internal: the line on the terminal that says how far a monitored training or a long computation is.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace luge {

/// How far a training, or what else goes step by step, is.
struct ProgressState {
  std::int64_t step = 0, total = 0;  ///< total 0: unknown
  double seconds = 0;
  std::optional<double> loss = {};  ///< none: there is no such number
  std::string_view unit = "steps";  ///< what is counted
};

/// One line of at most `columns` characters: "[####......]  42%  420/1000  1234 steps/s  loss 0.5  ETA 0:37".
/// What does not fit is left out, the least important first: bar, ETA, rate, loss.
std::string progress_text(const ProgressState& state, std::size_t columns);

/// Keeps such a line on standard error. Does nothing where that is no terminal. Colours the bar unless
/// NO_COLOR is set; COLUMNS overrules the width of the terminal.
class Progress {
 public:
  explicit Progress(bool wanted);

  /// True where a line is drawn at all and the last one is old enough to be replaced.
  bool due(double seconds) const { return visible_ && seconds - drawn_at_ >= kInterval; }
  void draw(const ProgressState& state);
  /// True while a line stands that is to be replaced.
  bool open() const { return open_; }
  /// Leaves the last line standing.
  void finish();

 private:
  static constexpr double kInterval = 0.1;  // seconds between two lines

  bool visible_, colour_;
  double drawn_at_ = -kInterval;
  std::size_t shown_ = 0;  // characters of the line that stands there
  bool open_ = false;
};

}  // namespace luge
