#include <luge/train/detail/progress.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

namespace luge {

namespace {

std::size_t terminal_width() {
  if (const char* const columns = std::getenv("COLUMNS"))
    if (const long given = std::atol(columns); given > 0) return static_cast<std::size_t>(given);
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::min(seconds, 1e15) + 0.5);
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace

std::string progress_text(const ProgressState& state, std::size_t columns) {
  constexpr std::size_t kFewestCells = 8, kMostCells = 30;
  const bool bounded = state.total > 0;
  const auto step = static_cast<double>(state.step), total = static_cast<double>(state.total);
  const double fraction = bounded ? std::clamp(step / total, 0.0, 1.0) : 0;
  const double rate = state.seconds > 0 ? step / state.seconds : 0;

  std::string head = bounded ? fmt::format("{:3.0f}%  {}/{}", 100 * fraction, state.step, state.total)
                             : fmt::format("step {}", state.step);
  std::string speed, end;
  const std::string loss = state.loss ? fmt::format("  loss {:.6g}", *state.loss) : std::string();
  if (rate > 0) speed = fmt::format("  {:.4g} {}/s", rate, state.unit);
  if (rate > 0 && bounded) end = fmt::format("  ETA {}", duration(std::max(total - step, 0.0) / rate));

  head.resize(std::min(head.size(), columns));
  std::size_t room = columns - head.size();
  const auto take = [&room](const std::string& part) {
    if (part.size() > room) return std::string();
    room -= part.size();
    return part;
  };
  const std::string kept_loss = take(loss), kept_speed = take(speed), kept_end = take(end);
  std::string line;
  if (bounded && room >= kFewestCells + 3) {
    const std::size_t cells = std::min(kMostCells, room - 3);
    const auto full = static_cast<std::size_t>(fraction * static_cast<double>(cells) + 0.5);
    line = fmt::format("[{:#<{}}{:.<{}}] ", "", full, "", cells - full);
  }
  for (const std::string* const part : std::array{&std::as_const(head), &kept_speed, &kept_loss, &kept_end})
    line += *part;
  return line;
}

Progress::Progress(bool wanted)
    : visible_(wanted && isatty(STDERR_FILENO)), colour_(std::getenv("NO_COLOR") == nullptr) {}

void Progress::draw(const ProgressState& state) {
  std::string line = progress_text(state, std::max<std::size_t>(terminal_width(), 2) - 1);
  const std::size_t length = line.size();
  line.append(shown_ > length ? shown_ - length : 0, ' ');  // covers what stood there before
  if (const std::size_t bar = line.find(']'); colour_ && bar != std::string::npos) {
    line.insert(bar, "\x1b[0m");
    line.insert(1, "\x1b[36m");
  }
  fmt::print(stderr, "\r{}", line);
  std::fflush(stderr);
  shown_ = length;
  drawn_at_ = state.seconds;
  open_ = true;
}

void Progress::finish() {
  if (!open_) return;
  std::fputc('\n', stderr);
  open_ = false;
  shown_ = 0;
}

}  // namespace luge
